package stagedoor.peer;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** {@code produce}: puts the concerts of a mix on sale and sends its holds. */
final class Produce {
    private static final Map<String, Object> SETTINGS = Map.of(
            "key.serializer", ByteArraySerializer.class,
            "value.serializer", ByteArraySerializer.class,
            "acks", "all",
            "linger.ms", "2",
            "batch.size", "262144",
            "buffer.memory", "134217728");

    private final KafkaProducer<byte[], byte[]> producer;
    private final String topic;
    private final AtomicReference<Exception> failure = new AtomicReference<>();

    private Produce(KafkaProducer<byte[], byte[]> producer, String topic) {
        this.producer = producer;
        this.topic = topic;
    }

    static void run(Options options) throws Exception {
        Mix mix = new Mix(options);
        double rate = options.number("rate", 1, 10_000_000, 0);
        Map<String, Object> settings = new java.util.HashMap<>(SETTINGS);
        settings.put("bootstrap.servers", options.text("bootstrap-servers"));
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(settings)) {
            Produce produce = new Produce(producer, SeatTopology.commands(options.text("application")));
            byte[] plan = mix.concert().encode();
            for (String concert : mix.concerts()) {
                produce.send(concert, plan, null);
            }
            // On sale before the first hold is sent; no hold waits for the plans.
            producer.flush();
            long began = System.nanoTime();
            produce.holds(mix, rate);
            producer.flush();
            double seconds = (System.nanoTime() - began) / 1e9;
            System.out.printf("{\"produced\":%d,\"seconds\":%.3f}%n", mix.requests(), seconds);
        }
    }

    /** With a rate each record carries the time at which it should have been sent, not that at which it was. */
    private void holds(Mix mix, double rate) throws Exception {
        long beganNs = System.nanoTime();
        long beganMs = System.currentTimeMillis();
        for (long index = 0; index < mix.requests(); index++) {
            Mix.Request request = mix.request(index);
            Long intendedMs = null;
            if (rate > 0) {
                long dueNs = (long) (index * 1e9 / rate);
                waitUntil(beganNs + dueNs);
                intendedMs = beganMs + dueNs / 1_000_000;
            }
            send(request.concert(), Command.HoldSeats.encode(request), intendedMs);
        }
    }

    /** In steps of a millisecond: what is due together is sent together. */
    private static void waitUntil(long dueNs) throws InterruptedException {
        while (System.nanoTime() < dueNs) {
            Thread.sleep(1);
        }
    }

    private void send(String concert, byte[] value, Long timestampMs) throws Exception {
        Exception failed = failure.get();
        if (failed != null) {
            throw failed;
        }
        producer.send(new ProducerRecord<>(topic, null, timestampMs, concert.getBytes(UTF_8), value),
                (metadata, error) -> {
                    if (error != null) {
                        failure.compareAndSet(null, error);
                    }
                });
    }
}
