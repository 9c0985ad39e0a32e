package stagedoor.peer;

import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Command line options of the form {@code --name value}. */
final class Options {
    private static final Set<String> SWITCHES = Set.of("from-end");
    private static final Set<String> NAMES = Set.of(
            "bootstrap-servers", "application", "partitions", "state", "profile", "threads", "mix",
            "requests", "seed", "run", "rate", "measure", "timeout");

    /** A wrong command line. */
    static final class UsageException extends RuntimeException {
        private static final long serialVersionUID = 1L;

        UsageException(String message) {
            super(message);
        }
    }

    private final Map<String, String> values;

    private Options(Map<String, String> values) {
        this.values = values;
    }

    static Options parse(List<String> arguments) {
        Map<String, String> values = new HashMap<>();
        Iterator<String> rest = arguments.iterator();
        while (rest.hasNext()) {
            String given = rest.next();
            String name = given.startsWith("--") ? given.substring(2) : "";
            if (SWITCHES.contains(name)) {
                values.put(name, "yes");
            } else if (NAMES.contains(name) && rest.hasNext()) {
                values.put(name, rest.next());
            } else {
                throw new UsageException(NAMES.contains(name)
                        ? given + " needs a value" : "unknown option " + given);
            }
        }
        return new Options(values);
    }

    boolean has(String name) {
        return values.containsKey(name);
    }

    String text(String name) {
        String value = values.get(name);
        if (value == null) {
            throw new UsageException("--" + name + " is missing");
        }
        return value;
    }

    String text(String name, String otherwise) {
        return values.getOrDefault(name, otherwise);
    }

    long number(String name, long lowest, long highest) {
        String value = text(name);
        try {
            long number = Long.parseLong(value);
            if (number >= lowest && number <= highest) {
                return number;
            }
        } catch (NumberFormatException notANumber) {
            // Told below, like a number out of range.
        }
        throw new UsageException("--" + name + " takes " + lowest + " to " + highest + ", not " + value);
    }

    long number(String name, long lowest, long highest, long otherwise) {
        return has(name) ? number(name, lowest, highest) : otherwise;
    }
}
