"""`raftka learn`: a page that shows a run of the deployed cluster, event by event, and says why.

The page is web/, built into page.html beside this file. It shows recordings: all that it needs is a
trace (docs/trace.md), folded in the browser. Where there is an engine it can also run sessions.

- `recording.py`: a run as the page takes it: of a scenario, a lesson, a session or a trace file
- `telling.py`: what lessons are written with; `lessons.py` finds them and holds them to their trace
- `places.py`: the line of code behind each kind of event
- `export.py`: one file with recordings inside, for mail, slides and a class without a network
- `teacher.py`: requests of a page with an engine; `server.py` carries them over a WebSocket (the
  extra raftka[learn]); playground.html carries them to Pyodide
- `explaining.py`: what a run broke or lost: the story, THE MOMENT, until when it could be saved
- `figures.py`: what many seeds of a lesson come to, shipped as numbers; `counting.py` makes them
- `attached.py`: running nodes, by what they answer; `harmless.py`: their bytes as text
- `bridge.py`: a process whose virtual brokers real clients talk to; `bridging.py` asks it
- `classroom.py`: predictions of a class, and how much its students may know; `class_server.py` has
  the pages of teacher and students
- `command.py`: the command line
"""
