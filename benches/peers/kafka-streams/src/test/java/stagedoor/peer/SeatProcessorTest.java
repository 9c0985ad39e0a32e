package stagedoor.peer;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TestOutputTopic;
import org.apache.kafka.streams.TopologyTestDriver;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The decisions, through the whole topology. */
class SeatProcessorTest {
    private static final byte[] CONCERT = "c".getBytes(UTF_8);

    @TempDir
    Path directory;

    private TopologyTestDriver driver;
    private TestInputTopic<byte[], byte[]> commands;
    private TestOutputTopic<byte[], byte[]> results;

    @BeforeEach
    void start() throws Exception {
        Properties properties = Settings.load(Path.of("settings.properties"), "100ms");
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, "test");
        properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, "nowhere:1");
        properties.put(StreamsConfig.STATE_DIR_CONFIG, directory.toString());
        properties.put(StreamsConfig.ROCKSDB_CONFIG_SETTER_CLASS_CONFIG, RocksSettings.class);
        driver = new TopologyTestDriver(SeatTopology.build("test"), properties);
        commands = driver.createInputTopic("test.commands", new ByteArraySerializer(), new ByteArraySerializer());
        results = driver.createOutputTopic("test.results", new ByteArrayDeserializer(), new ByteArrayDeserializer());
        List<Command.Section> sections = List.of(
                new Command.Section("A", 3, 9, 0, 100), new Command.Section("GA", 0, 0, 5, 10));
        byte[] plan = new Command.PutConcert("put", "EUR", 4, 60, 0, Long.MAX_VALUE, sections).encode();
        assertEquals(Answer.CONCERT_PUT, send(plan)[0]);
    }

    @AfterEach
    void stop() {
        driver.close();
    }

    private byte[] send(byte[] command) {
        commands.pipeInput(CONCERT, command, 1_000L);
        return results.readValue();
    }

    private byte[] seats(String user, String id, int row, int first, int quantity) {
        return send(Command.HoldSeats.encode(new Mix.Request("c", user, id, "A", row, first, quantity)));
    }

    private byte[] places(String user, String id, int quantity) {
        return send(Command.HoldSeats.encode(new Mix.Request("c", user, id, "GA", 0, 0, quantity)));
    }

    @Test
    void a_seat_is_held_once_and_a_hold_takes_all_or_nothing() {
        assertEquals(Answer.HELD, seats("u1", "k1", 1, 4, 2)[0]);
        byte[] refusal = seats("u2", "k2", 1, 3, 2);
        assertEquals(Answer.SEAT_TAKEN, refusal[0]);
        assertEquals(0b10, refusal[refusal.length - 1], "the second wanted seat is the taken one");
        assertEquals(Answer.HELD, seats("u2", "k3", 1, 3, 1)[0], "nothing was kept of the refused hold");
        assertEquals(Answer.SEAT_TAKEN, seats("u2", "k4", 1, 5, 1)[0]);
    }

    @Test
    void a_repeated_command_gets_the_same_bytes_and_another_body_is_refused() {
        byte[] first = seats("u1", "k1", 1, 1, 2);
        assertArrayEquals(first, seats("u1", "k1", 1, 1, 2));
        assertEquals(Answer.IDEMPOTENCY_MISMATCH, seats("u1", "k1", 1, 1, 1)[0]);
        assertEquals(Answer.HELD, seats("u1", "k2", 2, 1, 2)[0], "the repetition did not count for the limit");
    }

    @Test
    void the_limit_is_per_user_over_all_holds() {
        assertEquals(Answer.HELD, seats("u1", "k1", 1, 1, 3)[0]);
        assertEquals(Answer.LIMIT_REACHED, places("u1", "k2", 2)[0]);
        assertEquals(Answer.HELD, places("u1", "k3", 1)[0]);
        assertEquals(Answer.HELD, seats("u2", "k1", 2, 1, 4)[0], "the id of a command is its user's own");
    }

    @Test
    void general_admission_ends_at_its_capacity() {
        assertEquals(Answer.HELD, places("u1", "k1", 4)[0]);
        assertEquals(Answer.NOT_ENOUGH_SEATS, places("u2", "k2", 2)[0]);
        assertEquals(Answer.HELD, places("u2", "k3", 1)[0]);
    }

    @Test
    void what_is_not_there_cannot_be_held() {
        assertEquals(Answer.UNKNOWN_SEAT, seats("u1", "k1", 4, 1, 1)[0]);
        assertEquals(Answer.UNKNOWN_SEAT, seats("u1", "k2", 1, 9, 2)[0]);
        commands.pipeInput("d".getBytes(UTF_8),
                Command.HoldSeats.encode(new Mix.Request("d", "u", "k", "A", 1, 1, 1)), 1_000L);
        assertEquals(Answer.CONCERT_NOT_FOUND, results.readValue()[0]);
    }

    @Test
    void a_concert_is_put_once() {
        byte[] other = new Command.PutConcert("put2", "KRW", 4, 60, 0, Long.MAX_VALUE, List.of()).encode();
        assertEquals(Answer.CONCERT_DIFFERS, send(other)[0]);
    }
}
