package stagedoor.peer;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * {@code await}: reads the answers of one run, and prints how long they took from the first command to the last
 * committed answer. An answer carries the timestamp of its command, so each has a latency too.
 */
final class Await {
    private static final int LONGEST_MS = 600_000;

    private final String application;
    private final byte[] label;
    private final long wanted;
    private final long[] byLatencyMs = new long[LONGEST_MS + 1];
    private long answers;
    private long held;
    private long firstCommandMs = Long.MAX_VALUE;
    private long lastAnswerMs;

    private Await(Options options) {
        application = options.text("application");
        label = (options.text("run") + "-").getBytes(UTF_8);
        wanted = options.number("requests", 1, 100_000_000);
    }

    static void run(Options options) throws Exception {
        Await await = new Await(options);
        Process process = Process.of(options);
        long timeout = options.number("timeout", 1, 86_400, 300);
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(options)) {
            await.read(consumer, options.has("from-end"), process, timeout);
        }
        System.out.println(await.report(process));
    }

    private static KafkaConsumer<byte[], byte[]> consumer(Options options) {
        return new KafkaConsumer<>(Map.of(
                "bootstrap.servers", options.text("bootstrap-servers"),
                "key.deserializer", ByteArrayDeserializer.class,
                "value.deserializer", ByteArrayDeserializer.class,
                "isolation.level", "read_committed",
                "enable.auto.commit", "false",
                "max.poll.records", "100000",
                "fetch.max.wait.ms", "20",
                "max.partition.fetch.bytes", "16777216"));
    }

    private void read(KafkaConsumer<byte[], byte[]> consumer, boolean fromEnd, Process process, long timeoutSeconds) {
        List<TopicPartition> partitions = consumer.partitionsFor(SeatTopology.results(application)).stream()
                .map(it -> new TopicPartition(it.topic(), it.partition())).toList();
        consumer.assign(partitions);
        if (fromEnd) {
            consumer.seekToEnd(partitions);
            partitions.forEach(consumer::position);
        } else {
            consumer.seekToBeginning(partitions);
        }
        process.begin();
        System.out.println("ready");
        long deadline = System.nanoTime() + timeoutSeconds * 1_000_000_000L;
        while (answers < wanted) {
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("only " + answers + " of " + wanted + " answers within "
                        + timeoutSeconds + " s: is the application running, and the --run label right?");
            }
            count(consumer.poll(Duration.ofMillis(50)));
        }
        process.end();
    }

    private void count(ConsumerRecords<byte[], byte[]> records) {
        long nowMs = System.currentTimeMillis();
        for (ConsumerRecord<byte[], byte[]> record : records) {
            byte[] answer = record.value();
            int code = answer[0];
            if (code == Answer.CONCERT_PUT || code == Answer.CONCERT_DIFFERS || !Answer.isOf(answer, label)) {
                continue;
            }
            answers++;
            held += code == Answer.HELD ? 1 : 0;
            firstCommandMs = Math.min(firstCommandMs, record.timestamp());
            lastAnswerMs = nowMs;
            long latency = Math.max(0, nowMs - record.timestamp());
            byLatencyMs[(int) Math.min(LONGEST_MS, latency)]++;
        }
    }

    private String report(Process process) {
        double seconds = (lastAnswerMs - firstCommandMs) / 1e3;
        return String.format(java.util.Locale.ROOT,
                "{\"answers\":%d,\"held\":%d,\"seconds\":%.3f,\"answers_per_second\":%.0f,"
                        + "\"p50_ms\":%d,\"p90_ms\":%d,\"p99_ms\":%d,\"p999_ms\":%d,\"max_ms\":%d%s}",
                answers, held, seconds, answers / seconds,
                quantile(0.5), quantile(0.9), quantile(0.99), quantile(0.999), quantile(1.0), process.report());
    }

    private int quantile(double share) {
        long rank = (long) Math.ceil(answers * share);
        long seen = 0;
        for (int latency = 0; latency <= LONGEST_MS; latency++) {
            seen += byLatencyMs[latency];
            if (seen >= rank) {
                return latency;
            }
        }
        return LONGEST_MS;
    }
}
