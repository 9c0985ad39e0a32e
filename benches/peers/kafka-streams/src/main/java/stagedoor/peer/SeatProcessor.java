package stagedoor.peer;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import stagedoor.peer.Command.HoldSeats;
import stagedoor.peer.Command.PutConcert;
import stagedoor.peer.Command.Seat;
import stagedoor.peer.Command.Section;

/** Decides commands in the order of the partition; the same refusals in the same order as Stagedoor. */
final class SeatProcessor implements Processor<byte[], byte[], byte[], byte[]> {
    private static final int MOST_SEATS = 10;
    private static final byte[] NOBODY = new byte[0];

    /** A concert that is on sale, decoded; it never changes, so what was read once stays true. */
    private record Hall(PutConcert plan, Map<Bytes, Section> sections) {}

    private final Binary.Writer out = new Binary.Writer();
    private final Map<Bytes, Hall> halls = new HashMap<>();
    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<Bytes, byte[]> concerts;
    private KeyValueStore<Bytes, byte[]> reservations;
    private KeyValueStore<Bytes, byte[]> users;
    private Seating seating;

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
        this.context = context;
        concerts = context.getStateStore(SeatTopology.CONCERTS);
        reservations = context.getStateStore(SeatTopology.RESERVATIONS);
        users = context.getStateStore(SeatTopology.USERS);
        seating = new Seating(
                context.getStateStore(SeatTopology.SEATS), context.getStateStore(SeatTopology.STOCK), out);
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
        byte[] command = record.value();
        byte[] answer = command[0] == Command.PUT_CONCERT
                ? put(record.key(), command)
                : hold(record.key(), HoldSeats.decode(command), record.timestamp());
        context.forward(record.withValue(answer));
    }

    private byte[] put(byte[] concert, byte[] command) {
        PutConcert plan = PutConcert.decode(command);
        byte[] id = plan.commandId().getBytes(UTF_8);
        byte[] known = concerts.putIfAbsent(Bytes.wrap(concert), command);
        int code = known == null || Arrays.equals(known, command) ? Answer.CONCERT_PUT : Answer.CONCERT_DIFFERS;
        return Answer.refused(out, code, NOBODY, id, 0);
    }

    private byte[] hold(byte[] concert, HoldSeats hold, long nowMs) {
        Bytes receipt = key(concert, hold.user(), hold.commandId());
        byte[] earlier = reservations.get(receipt);
        if (earlier != null) {
            return repeated(hold, earlier);
        }
        Hall hall = hall(concert);
        if (hall == null) {
            return refused(Answer.CONCERT_NOT_FOUND, hold, 0);
        }
        int window = window(hall.plan, nowMs);
        if (window != Answer.HELD) {
            return refused(window, hold, 0);
        }
        int valid = valid(hall, hold);
        if (valid != Answer.HELD) {
            return refused(valid, hold, 0);
        }
        return within(hall, concert, hold, receipt, nowMs);
    }

    private byte[] within(Hall hall, byte[] concert, HoldSeats hold, Bytes receipt, long nowMs) {
        Bytes user = key(concert, hold.user(), NOBODY);
        byte[] row = users.get(user);
        int live = row == null ? 0 : new Binary.Reader(row).u16();
        if (live + hold.quantity() > hall.plan.maxSeatsPerUser()) {
            return refused(Answer.LIMIT_REACHED, hold, 0);
        }
        long price;
        if (hold.generalSection() != null) {
            Section section = hall.sections.get(Bytes.wrap(hold.generalSection()));
            if (!seating.takePlaces(concert, hold, section)) {
                return refused(Answer.NOT_ENOUGH_SEATS, hold, 0);
            }
            price = section.priceMinor() * hold.quantity();
        } else {
            int taken = seating.takeSeats(concert, hold, hall.sections);
            if (taken != 0) {
                return refused(Answer.SEAT_TAKEN, hold, taken);
            }
            price = price(hall, hold);
        }
        long deadlineMs = nowMs + hall.plan.holdSeconds() * 1000L;
        users.put(user, out.clear().u16(live + hold.quantity()).bytes());
        byte[] body = hold.body();
        reservations.put(receipt, out.clear().i64(price).i64(deadlineMs).raw(body, 0, body.length).bytes());
        return Answer.held(out, hold, price, deadlineMs);
    }

    /** The first answer again; only for the same body. */
    private byte[] repeated(HoldSeats hold, byte[] earlier) {
        Binary.Reader in = new Binary.Reader(earlier);
        long price = in.i64();
        long deadlineMs = in.i64();
        if (!Arrays.equals(in.rest(), hold.body())) {
            return refused(Answer.IDEMPOTENCY_MISMATCH, hold, 0);
        }
        return Answer.held(out, hold, price, deadlineMs);
    }

    private static int window(PutConcert plan, long nowMs) {
        if (nowMs < plan.saleOpensAtMs()) {
            return Answer.SALE_NOT_OPEN;
        }
        return nowMs < plan.saleClosesAtMs() ? Answer.HELD : Answer.SALE_CLOSED;
    }

    /** Bounds, seats named twice, and seats that are not there. */
    private static int valid(Hall hall, HoldSeats hold) {
        if (hold.quantity() < 1 || hold.quantity() > MOST_SEATS) {
            return Answer.INVALID_REQUEST;
        }
        if (hold.generalSection() != null) {
            Section section = hall.sections.get(Bytes.wrap(hold.generalSection()));
            return section == null || section.rows() > 0 ? Answer.UNKNOWN_SEAT : Answer.HELD;
        }
        Seat[] seats = hold.seats();
        for (int i = 0; i < seats.length; i++) {
            for (int j = 0; j < i; j++) {
                if (seats[i].row() == seats[j].row() && seats[i].number() == seats[j].number()
                        && Arrays.equals(seats[i].section(), seats[j].section())) {
                    return Answer.INVALID_REQUEST;
                }
            }
        }
        for (Seat seat : seats) {
            Section section = hall.sections.get(Bytes.wrap(seat.section()));
            if (section == null || seat.row() < 1 || seat.row() > section.rows()
                    || seat.number() < 1 || seat.number() > section.seatsPerRow()) {
                return Answer.UNKNOWN_SEAT;
            }
        }
        return Answer.HELD;
    }

    private static long price(Hall hall, HoldSeats hold) {
        long price = 0;
        for (Seat seat : hold.seats()) {
            price += hall.sections.get(Bytes.wrap(seat.section())).priceMinor();
        }
        return price;
    }

    private Hall hall(byte[] concert) {
        Bytes key = Bytes.wrap(concert);
        Hall known = halls.get(key);
        if (known != null) {
            return known;
        }
        byte[] stored = concerts.get(key);
        if (stored == null) {
            return null;
        }
        PutConcert plan = PutConcert.decode(stored);
        Map<Bytes, Section> sections = new HashMap<>();
        for (Section section : plan.sections()) {
            sections.put(Bytes.wrap(section.id().getBytes(UTF_8)), section);
        }
        Hall hall = new Hall(plan, sections);
        halls.put(key, hall);
        return hall;
    }

    private byte[] refused(int code, HoldSeats hold, int taken) {
        return Answer.refused(out, code, hold.user(), hold.commandId(), taken);
    }

    private Bytes key(byte[] concert, byte[] user, byte[] commandId) {
        return Bytes.wrap(out.clear().text(concert).text(user).raw(commandId, 0, commandId.length).bytes());
    }
}
