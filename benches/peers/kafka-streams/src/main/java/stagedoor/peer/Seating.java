package stagedoor.peer;

import java.util.Arrays;
import java.util.Map;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.state.KeyValueStore;
import stagedoor.peer.Command.HoldSeats;
import stagedoor.peer.Command.Seat;
import stagedoor.peer.Command.Section;

/** Seats and places: which are free, and taking them all or not at all. */
final class Seating {
    private static final int FREE = 0;
    private static final int HELD = 1;

    private final KeyValueStore<Bytes, byte[]> seats;
    private final KeyValueStore<Bytes, byte[]> stock;
    private final Binary.Writer out;

    Seating(KeyValueStore<Bytes, byte[]> seats, KeyValueStore<Bytes, byte[]> stock, Binary.Writer out) {
        this.seats = seats;
        this.stock = stock;
        this.out = out;
    }

    /** Takes all seats and returns 0, or takes none and returns one bit for each that is taken. */
    int takeSeats(byte[] concert, HoldSeats hold, Map<Bytes, Section> sections) {
        Seat[] wanted = hold.seats();
        Bytes[] keys = new Bytes[wanted.length];
        byte[][] rows = new byte[wanted.length][];
        int taken = 0;
        for (int i = 0; i < wanted.length; i++) {
            int known = sameRow(wanted, i);
            keys[i] = known < i ? keys[known] : rowKey(concert, wanted[i]);
            rows[i] = known < i ? rows[known] : row(keys[i], sections.get(Bytes.wrap(wanted[i].section())));
            if (get(rows[i], wanted[i].number() - 1) != FREE) {
                taken |= 1 << i;
            }
        }
        if (taken == 0) {
            take(wanted, keys, rows);
        }
        return taken;
    }

    /** Takes places of a general-admission section, if as many are left. */
    boolean takePlaces(byte[] concert, HoldSeats hold, Section section) {
        Bytes key = Bytes.wrap(out.clear().text(concert).text(hold.generalSection()).bytes());
        byte[] row = stock.get(key);
        int taken = row == null ? 0 : new Binary.Reader(row).u32();
        if (taken + hold.quantity() > section.capacity()) {
            return false;
        }
        stock.put(key, out.clear().u32(taken + hold.quantity()).bytes());
        return true;
    }

    private void take(Seat[] wanted, Bytes[] keys, byte[][] rows) {
        for (int i = 0; i < wanted.length; i++) {
            set(rows[i], wanted[i].number() - 1);
        }
        for (int i = 0; i < wanted.length; i++) {
            if (sameRow(wanted, i) == i) {
                seats.put(keys[i], rows[i]);
            }
        }
    }

    /** The first wanted seat in the row of the {@code index}-th. */
    private static int sameRow(Seat[] wanted, int index) {
        for (int i = 0; i < index; i++) {
            if (wanted[i].row() == wanted[index].row()
                    && Arrays.equals(wanted[i].section(), wanted[index].section())) {
                return i;
            }
        }
        return index;
    }

    /** A copy, since the cache hands out its own array; an absent row is free. */
    private byte[] row(Bytes key, Section section) {
        byte[] stored = seats.get(key);
        return stored == null ? new byte[(section.seatsPerRow() + 3) / 4] : stored.clone();
    }

    private Bytes rowKey(byte[] concert, Seat seat) {
        return Bytes.wrap(out.clear().text(concert).text(seat.section()).u16(seat.row()).bytes());
    }

    private static int get(byte[] row, int seat) {
        return row[seat >> 2] >> (2 * (seat & 3)) & 3;
    }

    private static void set(byte[] row, int seat) {
        row[seat >> 2] |= (byte) (HELD << (2 * (seat & 3)));
    }
}
