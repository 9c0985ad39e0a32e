package stagedoor.peer;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Commands; the key of the record is the concert's id. */
final class Command {
    /** First byte of a {@link PutConcert}. */
    static final int PUT_CONCERT = 1;
    /** First byte of a {@link HoldSeats}. */
    static final int HOLD_SEATS = 2;
    /** First byte of a body that names seats. */
    static final int SEATS = 1;
    /** First byte of a body that wants places of a general-admission section. */
    static final int GENERAL = 2;

    private Command() {}

    /** Reserved seating if it has rows, general admission otherwise. */
    record Section(String id, int rows, int seatsPerRow, int capacity, long priceMinor) {}

    /** Put a concert on sale. */
    record PutConcert(
            String commandId, String currency, int maxSeatsPerUser, int holdSeconds,
            long saleOpensAtMs, long saleClosesAtMs, List<Section> sections) {

        byte[] encode() {
            Binary.Writer out = new Binary.Writer().u8(PUT_CONCERT).text(commandId).text(currency);
            out.u16(maxSeatsPerUser).u32(holdSeconds).i64(saleOpensAtMs).i64(saleClosesAtMs);
            out.u16(sections.size());
            for (Section section : sections) {
                out.text(section.id).u16(section.rows).u16(section.seatsPerRow);
                out.u32(section.capacity).i64(section.priceMinor);
            }
            return out.bytes();
        }

        static PutConcert decode(byte[] bytes) {
            Binary.Reader in = new Binary.Reader(bytes);
            in.u8();
            String commandId = in.text();
            String currency = in.text();
            int limit = in.u16();
            int holdSeconds = in.u32();
            long opens = in.i64();
            long closes = in.i64();
            int count = in.u16();
            List<Section> sections = new ArrayList<>(count);
            for (int i = 0; i < count; i++) {
                sections.add(new Section(in.text(), in.u16(), in.u16(), in.u32(), in.i64()));
            }
            return new PutConcert(commandId, currency, limit, holdSeconds, opens, closes, sections);
        }
    }

    /** A seat, numbered from 1 inside its section. */
    record Seat(byte[] section, int row, int number) {}

    /**
     * Hold chosen seats, or {@code quantity} places of one section. {@code body} is what of the command must be
     * equal when it is repeated.
     */
    record HoldSeats(
            byte[] user, byte[] commandId, byte[] body, Seat[] seats, byte[] generalSection, int quantity) {

        static HoldSeats decode(byte[] bytes) {
            Binary.Reader in = new Binary.Reader(bytes);
            in.u8();
            byte[] user = in.textBytes();
            byte[] commandId = in.textBytes();
            byte[] body = in.rest();
            Binary.Reader wish = new Binary.Reader(body);
            if (wish.u8() == GENERAL) {
                return new HoldSeats(user, commandId, body, new Seat[0], wish.textBytes(), wish.u16());
            }
            Seat[] seats = new Seat[wish.u8()];
            for (int i = 0; i < seats.length; i++) {
                seats[i] = new Seat(wish.textBytes(), wish.u16(), wish.u16());
            }
            return new HoldSeats(user, commandId, body, seats, null, seats.length);
        }

        static byte[] encode(Mix.Request request) {
            Binary.Writer out = new Binary.Writer().u8(HOLD_SEATS).text(request.user()).text(request.commandId());
            byte[] section = request.section().getBytes(StandardCharsets.UTF_8);
            if (request.row() == 0) {
                return out.u8(GENERAL).text(section).u16(request.quantity()).bytes();
            }
            out.u8(SEATS).u8(request.quantity());
            for (int i = 0; i < request.quantity(); i++) {
                out.text(section).u16(request.row()).u16(request.first() + i);
            }
            return out.bytes();
        }
    }
}
