package stagedoor.peer;

import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.errors.TopicExistsException;

/** {@code topics}: what an application reads and writes; its changelogs are its own affair. */
final class Topics {
    private Topics() {}

    static void create(Options options) throws InterruptedException, ExecutionException {
        String application = options.text("application");
        int partitions = (int) options.number("partitions", 1, 10_000, 5);
        List<NewTopic> topics = List.of(
                new NewTopic(SeatTopology.commands(application), partitions, (short) 1),
                new NewTopic(SeatTopology.results(application), partitions, (short) 1));
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", options.text("bootstrap-servers")))) {
            admin.createTopics(topics).all().get();
        } catch (ExecutionException error) {
            if (!(error.getCause() instanceof TopicExistsException)) {
                throw error;
            }
            throw new IllegalStateException(
                    "topics of application " + application + " exist: choose another --application", error);
        }
    }
}
