package stagedoor.peer;

import java.util.Map;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** One sub-topology: commands in, one answer each out, five stores in between. */
final class SeatTopology {
    /** Concert id: its plan. Written once, then kept decoded by the processor. */
    static final String CONCERTS = "concerts";
    /** Concert, section, row: 2 bits a seat. One row of seats, so that a change writes few bytes. */
    static final String SEATS = "seats";
    /** Concert, section: taken places of general admission. */
    static final String STOCK = "stock";
    /** Concert, user: seats in live holds. */
    static final String USERS = "users";
    /** Concert, user, command id: the reservation, which is also the receipt of its command. */
    static final String RESERVATIONS = "reservations";

    private SeatTopology() {}

    static String commands(String application) {
        return application + ".commands";
    }

    static String results(String application) {
        return application + ".results";
    }

    static Topology build(String application) {
        Topology topology = new Topology();
        topology.addSource("commands", new ByteArrayDeserializer(), new ByteArrayDeserializer(),
                commands(application));
        topology.addProcessor("seats", SeatProcessor::new, "commands");
        topology.addStateStore(store(CONCERTS).withCachingDisabled(), "seats");
        topology.addStateStore(store(SEATS).withCachingEnabled(), "seats");
        topology.addStateStore(store(STOCK).withCachingEnabled(), "seats");
        // Users and reservations are mostly written once: a cache would only copy them twice.
        topology.addStateStore(store(USERS).withCachingDisabled(), "seats");
        topology.addStateStore(store(RESERVATIONS).withCachingDisabled(), "seats");
        // Keyed by the concert, an answer lands in the partition number of its command: one results partition
        // in each task's transaction.
        topology.addSink("results", results(application), new ByteArraySerializer(), new ByteArraySerializer(),
                "seats");
        return topology;
    }

    private static StoreBuilder<KeyValueStore<Bytes, byte[]>> store(String name) {
        return Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(name), Serdes.Bytes(), Serdes.ByteArray())
                .withLoggingEnabled(Map.of());
    }
}
