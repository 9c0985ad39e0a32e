package stagedoor.peer;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** What another process used between two moments, from {@code /proc}. */
final class Process {
    /** Fixed in Linux' interface to programs, whatever the kernel's own tick is. */
    private static final double TICKS_PER_SECOND = 100;

    private final String pid;
    private double cpuBefore;
    private double cpuAfter;
    private long peakBytes;

    private Process(String pid) {
        this.pid = pid;
    }

    static Process of(Options options) {
        return new Process(options.has("measure")
                ? String.valueOf(options.number("measure", 1, Integer.MAX_VALUE)) : null);
    }

    void begin() {
        cpuBefore = pid == null ? 0 : cpuSeconds();
    }

    void end() {
        if (pid != null) {
            cpuAfter = cpuSeconds();
            peakBytes = peakBytes();
        }
    }

    /** The further fields of a JSON object; nothing without {@code --measure}. */
    String report() {
        return pid == null ? "" : String.format(Locale.ROOT,
                ",\"cpu_seconds\":%.2f,\"rss_peak\":%d", cpuAfter - cpuBefore, peakBytes);
    }

    private double cpuSeconds() {
        String stat = read("stat");
        // The name may hold blanks and brackets, so count from its end.
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        return (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) / TICKS_PER_SECOND;
    }

    private long peakBytes() {
        return read("status").lines().filter(line -> line.startsWith("VmHWM:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024).findFirst().orElse(0);
    }

    private String read(String file) {
        try {
            return Files.readString(Path.of("/proc", pid, file));
        } catch (IOException error) {
            throw new UncheckedIOException("process " + pid + " does not run", error);
        }
    }
}
