// A member of a group by Kafka's own clients: classic, consumer and share.
// Arguments and lines are those of say.py and lines.py.

import java.io.FileOutputStream;
import java.io.FileDescriptor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Properties;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

public final class GroupMember {
    private static final FileOutputStream OUT = new FileOutputStream(FileDescriptor.out);
    private static volatile boolean stopping;

    private static void say(String kind, Object... words) {
        var line = new StringBuilder().append(ChronoUnit.MICROS.between(Instant.EPOCH, Instant.now()));
        line.append(' ').append(kind);
        for (Object word : words) line.append(' ').append(word);
        try {
            OUT.write(line.append('\n').toString().getBytes(StandardCharsets.UTF_8));
        } catch (IOException error) {
            throw new RuntimeException(error);
        }
    }

    public static void main(String[] arguments) throws Exception {
        String topic = arguments[1];
        String protocol = arguments[3];
        boolean byHand = arguments[4].equals("hand");
        var settings = new Properties();
        settings.put("bootstrap.servers", arguments[0]);
        settings.put("group.id", arguments[2]);
        settings.put("key.deserializer", StringDeserializer.class);
        settings.put("value.deserializer", StringDeserializer.class);
        Thread main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            stopping = true;
            try {
                main.join();
            } catch (InterruptedException error) {
                Thread.currentThread().interrupt();
            }
        }));
        if (protocol.equals("share")) {
            if (byHand) settings.put("share.acknowledgement.mode", "explicit");
            share(settings, topic, byHand);
            return;
        }
        settings.put("auto.offset.reset", "earliest");
        if (byHand) settings.put("enable.auto.commit", "false");
        if (protocol.equals("consumer")) settings.put("group.protocol", "consumer");
        else if (!arguments[5].equals("0")) settings.put("session.timeout.ms", arguments[5]);
        consume(settings, topic, byHand);
    }

    private static void consume(Properties settings, String topic, boolean byHand) {
        var consumer = new KafkaConsumer<String, String>(settings);
        var owned = new TreeSet<Integer>();
        var listener = new ConsumerRebalanceListener() {
            @Override
            public void onPartitionsAssigned(Collection<TopicPartition> gained) {
                gained.forEach(each -> owned.add(each.partition()));
                owns();
            }

            @Override
            public void onPartitionsRevoked(Collection<TopicPartition> lost) {
                lost.forEach(each -> owned.remove(each.partition()));
                owns();
            }

            private void owns() {
                var words = owned.stream().map(String::valueOf).collect(Collectors.joining(","));
                say("owns", consumer.groupMetadata().generationId(), words.isEmpty() ? "-" : words);
            }
        };
        try (consumer) {
            consumer.subscribe(List.of(topic), listener);
            while (!stopping) {
                var next = new HashMap<Integer, Long>();
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) {
                    say("read", record.partition(), record.offset(), record.value());
                    next.put(record.partition(), record.offset() + 1);
                }
                if (!byHand || next.isEmpty()) continue;
                next.forEach((partition, offset) -> say("commit", partition, offset));
                try {
                    consumer.commitSync();
                } catch (KafkaException error) {
                    say("note", error);
                    continue;
                }
                next.forEach((partition, offset) -> say("committed", partition, offset));
            }
        }
    }

    private static void share(Properties settings, String topic, boolean byHand) {
        try (var consumer = new KafkaShareConsumer<String, String>(settings)) {
            consumer.setAcknowledgementCommitCallback((offsets, error) -> {
                if (error != null) {
                    say("note", error);
                    return;
                }
                offsets.forEach((place, acknowledged) ->
                    acknowledged.forEach(offset -> say("acked", place.partition(), offset)));
            });
            consumer.subscribe(List.of(topic));
            while (!stopping) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) {
                    say("got", record.partition(), record.offset(),
                        record.deliveryCount().orElse((short) 0), record.value());
                    if (byHand) consumer.acknowledge(record);
                }
                if (byHand) consumer.commitSync();
            }
        }
    }
}
