package stagedoor.peer;

import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import java.util.Set;

/** {@code settings.properties}, with one profile laid over it. */
final class Settings {
    private static final Set<String> PROFILES = Set.of("20ms", "100ms");

    private Settings() {}

    /** What the application runs with; a profile's own lines win. */
    static Properties load(Path file, String profile) throws IOException {
        if (!PROFILES.contains(profile)) {
            throw new Options.UsageException("--profile takes one of " + PROFILES + ", not " + profile);
        }
        Properties all = new Properties();
        try (Reader reader = Files.newBufferedReader(file)) {
            all.load(reader);
        }
        Properties chosen = new Properties();
        all.forEach((key, value) -> {
            if (!isOfAProfile((String) key) && !key.equals("jvm")) {
                chosen.put(key, value);
            }
        });
        all.forEach((key, value) -> {
            String prefix = profile + ".";
            if (((String) key).startsWith(prefix)) {
                chosen.put(((String) key).substring(prefix.length()), value);
            }
        });
        return chosen;
    }

    private static boolean isOfAProfile(String key) {
        return PROFILES.stream().anyMatch(profile -> key.startsWith(profile + "."));
    }
}
