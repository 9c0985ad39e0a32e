package stagedoor.peer;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.utils.Utils;

/**
 * The load, request by request from a seed. Every system under measure is given the same requests: the other
 * implementation is {@code benches/src/mix}, and both are held against {@code benches/peers/mix.golden}.
 */
final class Mix {
    private static final int HEADLINE_CONCERTS = 5;
    private static final int HEADLINE_SECTIONS = 80;
    private static final int ROWS = 20;
    private static final int SEATS_PER_ROW = 20;
    private static final int MOST_SEATS = 4;
    private static final int GENERAL_CAPACITY = 1_000_000;
    private static final long PRICE_MINOR = 15_000;

    /** Row 0 stands for general admission; seats are neighbours in one row. */
    record Request(String concert, String user, String commandId, String section, int row, int first, int quantity) {}

    private final String kind;
    private final long seed;
    private final long requests;
    private final String run;
    private final List<String> concerts;

    Mix(Options options) {
        kind = options.text("mix");
        seed = options.number("seed", 0, Long.MAX_VALUE, 1);
        requests = options.number("requests", 1, 100_000_000);
        run = options.text("run");
        int partitions = (int) options.number("partitions", 1, 10_000, 5);
        int count = switch (kind) {
            case "headline" -> HEADLINE_CONCERTS;
            case "hot", "general" -> 1;
            default -> throw new Options.UsageException("--mix takes headline, hot or general, not " + kind);
        };
        if (kind.equals("general") && requests > GENERAL_CAPACITY) {
            throw new Options.UsageException("--mix general has at most " + GENERAL_CAPACITY + " requests");
        }
        concerts = ids(run, count, partitions);
    }

    long requests() {
        return requests;
    }

    List<String> concerts() {
        return concerts;
    }

    /** Ids such that the n-th concert lies in partition n, as Java's default partitioner counts. */
    private static List<String> ids(String run, int count, int partitions) {
        List<String> ids = new ArrayList<>();
        for (int number = 0; ids.size() < count; number++) {
            String id = run + "-c" + number;
            byte[] key = id.getBytes(StandardCharsets.UTF_8);
            if (Utils.toPositive(Utils.murmur2(key)) % partitions == ids.size() % partitions) {
                ids.add(id);
            }
        }
        return ids;
    }

    /** The {@code index}-th request, from 0. */
    Request request(long index) {
        return switch (kind) {
            case "headline" -> headline(index);
            case "hot" -> hot(index);
            default -> new Request(concerts.get(0), user(index), commandId(index), "GA", 0, 0, 1);
        };
    }

    private Request headline(long index) {
        long random = splitMix(seed + (index + 1) * 0x9e37_79b9_7f4a_7c15L) >>> 1;
        String concert = concerts.get((int) (random % HEADLINE_CONCERTS));
        random /= HEADLINE_CONCERTS;
        String section = "S" + random % HEADLINE_SECTIONS;
        random /= HEADLINE_SECTIONS;
        int row = 1 + (int) (random % ROWS);
        random /= ROWS;
        int quantity = 1 + (int) (random % MOST_SEATS);
        random /= MOST_SEATS;
        int first = 1 + (int) (random % (SEATS_PER_ROW - quantity + 1));
        return new Request(concert, user(index), commandId(index), section, row, first, quantity);
    }

    /** One seat of its own for everybody, neighbours in time far apart in the hall. */
    private Request hot(long index) {
        long sections = hotSections();
        int place = (int) (index / sections);
        int row = place / SEATS_PER_ROW + 1;
        int number = place % SEATS_PER_ROW + 1;
        String section = "S" + index % sections;
        return new Request(concerts.get(0), user(index), commandId(index), section, row, number, 1);
    }

    private long hotSections() {
        long seats = ROWS * SEATS_PER_ROW;
        return (requests + seats - 1) / seats;
    }

    private static String user(long index) {
        return "u" + index;
    }

    private String commandId(long index) {
        return run + "-" + index;
    }

    /** Finalisation of SplitMix64 (Steele, Lea, Flood 2014). */
    private static long splitMix(long x) {
        long z = (x ^ x >>> 30) * 0xbf58_476d_1ce4_e5b9L;
        z = (z ^ z >>> 27) * 0x94d0_49bb_1331_11ebL;
        return z ^ z >>> 31;
    }

    /** What goes on sale. */
    Command.PutConcert concert() {
        List<Command.Section> sections = new ArrayList<>();
        if (kind.equals("general")) {
            sections.add(new Command.Section("GA", 0, 0, GENERAL_CAPACITY, PRICE_MINOR));
        } else {
            long count = kind.equals("hot") ? hotSections() : HEADLINE_SECTIONS;
            for (int i = 0; i < count; i++) {
                sections.add(new Command.Section("S" + i, ROWS, SEATS_PER_ROW, 0, PRICE_MINOR));
            }
        }
        return new Command.PutConcert(run + "-put", "EUR", 4, 3600, 0, 3_999_000_000_000L, sections);
    }

    static void print(Options options) {
        Mix mix = new Mix(options);
        System.out.println("concerts " + String.join(" ", mix.concerts));
        for (long index = 0; index < mix.requests; index++) {
            Request it = mix.request(index);
            System.out.println(String.join(" ", it.concert, it.user, it.commandId, it.section,
                    String.valueOf(it.row), String.valueOf(it.first), String.valueOf(it.quantity)));
        }
    }
}
