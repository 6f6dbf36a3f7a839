"""`raftka learn`: a page that shows a run of the deployed cluster, event by event, and says why.

The page is web/, built into page.html beside this file. It shows recordings: it only needs a trace
(docs/trace.md), which the browser folds. With an engine it can also run sessions.

- `recording.py`: a run as the page takes it: of a scenario, a lesson, a session or a trace file
- `telling.py`: the vocabulary of lessons; `lessons.py` finds and checks lessons
- `places.py`: the line of code behind each kind of event
- `export.py`: one file with recordings inside, for mail, slides and a class without a network
- `teacher.py`: requests of a page with an engine; `server.py` carries them over a WebSocket (the
  extra raftka[learn]); playground.html carries them to Pyodide
- `explaining.py`: the story of a run's violation or loss, its point of no return
- `figures.py`: the results of many seeds of a lesson, shipped as numbers; `counting.py` makes them
- `attached.py`: running nodes, by their answers; `harmless.py`: their bytes as text
- `bridge.py`: a process whose virtual brokers real clients talk to; `bridging.py` asks it
- `classroom.py`: predictions of a class, and the events that its students may see;
  `class_server.py` has the pages of teacher and students
- `command.py`: the command line
"""
