package stagedoor.peer;

/** The one answer to a command; the key of the record is the concert's id. */
final class Answer {
    static final int HELD = 0;
    static final int SEAT_TAKEN = 1;
    static final int NOT_ENOUGH_SEATS = 2;
    static final int LIMIT_REACHED = 3;
    static final int CONCERT_NOT_FOUND = 4;
    static final int UNKNOWN_SEAT = 5;
    static final int INVALID_REQUEST = 6;
    static final int IDEMPOTENCY_MISMATCH = 7;
    static final int SALE_NOT_OPEN = 8;
    static final int SALE_CLOSED = 9;
    static final int CONCERT_PUT = 10;
    static final int CONCERT_DIFFERS = 11;

    private Answer() {}

    /** A refusal. {@code taken} has one bit for each wanted seat that is not free. */
    static byte[] refused(Binary.Writer out, int code, byte[] user, byte[] commandId, int taken) {
        return out.clear().u8(code).text(commandId).text(user).u16(taken).bytes();
    }

    /** A reservation: what was asked for, its price and its deadline. */
    static byte[] held(Binary.Writer out, Command.HoldSeats hold, long amountMinor, long deadlineMs) {
        out.clear().u8(HELD).text(hold.commandId()).text(hold.user());
        return out.i64(amountMinor).i64(deadlineMs).raw(hold.body(), 0, hold.body().length).bytes();
    }

    /** Whether an answer is one to a command whose id begins with {@code label}. */
    static boolean isOf(byte[] answer, byte[] label) {
        if ((answer[1] & 0xff) < label.length) {
            return false;
        }
        for (int i = 0; i < label.length; i++) {
            if (answer[2 + i] != label[i]) {
                return false;
            }
        }
        return true;
    }
}
