package stagedoor.peer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Compact binary records, written and read by hand: big-endian numbers, texts with a length byte. */
final class Binary {
    private Binary() {}

    /** Grows as needed; one may be used again after {@link #clear}. */
    static final class Writer {
        private byte[] buffer = new byte[128];
        private int length;

        Writer clear() {
            length = 0;
            return this;
        }

        Writer u8(int value) {
            room(1);
            buffer[length++] = (byte) value;
            return this;
        }

        Writer u16(int value) {
            return u8(value >>> 8).u8(value);
        }

        Writer u32(int value) {
            return u16(value >>> 16).u16(value);
        }

        Writer i64(long value) {
            return u32((int) (value >>> 32)).u32((int) value);
        }

        Writer raw(byte[] bytes, int from, int to) {
            room(to - from);
            System.arraycopy(bytes, from, buffer, length, to - from);
            length += to - from;
            return this;
        }

        Writer text(byte[] utf8) {
            if (utf8.length > 255) {
                throw new IllegalArgumentException("a text has at most 255 bytes, not " + utf8.length);
            }
            return u8(utf8.length).raw(utf8, 0, utf8.length);
        }

        Writer text(String text) {
            return text(text.getBytes(StandardCharsets.UTF_8));
        }

        byte[] bytes() {
            return Arrays.copyOf(buffer, length);
        }

        private void room(int more) {
            if (length + more > buffer.length) {
                buffer = Arrays.copyOf(buffer, Math.max(2 * buffer.length, length + more));
            }
        }
    }

    /** Reads from the front to the end. */
    static final class Reader {
        private final byte[] bytes;
        private int at;

        Reader(byte[] bytes) {
            this.bytes = bytes;
        }

        int position() {
            return at;
        }

        int u8() {
            return bytes[at++] & 0xff;
        }

        int u16() {
            return u8() << 8 | u8();
        }

        int u32() {
            return u16() << 16 | u16();
        }

        long i64() {
            return (long) u32() << 32 | u32() & 0xffff_ffffL;
        }

        byte[] raw(int length) {
            byte[] part = Arrays.copyOfRange(bytes, at, at + length);
            at += length;
            return part;
        }

        byte[] textBytes() {
            return raw(u8());
        }

        String text() {
            int length = u8();
            String text = new String(bytes, at, length, StandardCharsets.UTF_8);
            at += length;
            return text;
        }

        byte[] rest() {
            return raw(bytes.length - at);
        }
    }
}
