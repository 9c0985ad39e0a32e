package stagedoor.peer;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;

/** {@code run}: the application itself. Prints {@code running} when its tasks are assigned. */
final class Run {
    private Run() {}

    static void run(Options options) throws Exception {
        String application = options.text("application");
        Properties properties = Settings.load(settingsFile(), options.text("profile", "100ms"));
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
        properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, options.text("bootstrap-servers"));
        properties.put(StreamsConfig.STATE_DIR_CONFIG, options.text("state"));
        properties.put(StreamsConfig.ROCKSDB_CONFIG_SETTER_CLASS_CONFIG, RocksSettings.class);
        if (options.has("threads")) {
            properties.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, options.text("threads"));
        }
        serve(new KafkaStreams(SeatTopology.build(application), properties));
    }

    private static Path settingsFile() {
        return Path.of(System.getProperty("peer.settings", "settings.properties"));
    }

    private static void serve(KafkaStreams streams) throws InterruptedException {
        CountDownLatch ended = new CountDownLatch(1);
        streams.setUncaughtExceptionHandler(error -> {
            System.err.println("kafka-streams peer: a stream thread died: " + error);
            ended.countDown();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.RUNNING) {
                System.out.println("running");
            }
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(20))));
        streams.start();
        ended.await();
        System.exit(1);
    }
}
