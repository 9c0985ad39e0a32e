package stagedoor.peer;

import java.util.List;

/** Entry: one sub-command for each role. */
public final class Main {
    private static final String USAGE = """
            usage: peer.sh COMMAND --bootstrap-servers HOST:PORT [OPTIONS]
              topics    create the topics of an application
                          --application ID       also the prefix of its topics
                          --partitions N         of each topic (5)
              run       the Kafka Streams application, until SIGTERM
                          --application ID --state DIR
                          --profile 20ms|100ms   commit interval, see settings.properties
                          --threads N            instead of num.stream.threads
              produce   put the concerts of a mix on sale and send its holds
                          --application ID --partitions N
                          --mix headline|hot|general --requests N --seed S (1)
                          --run LABEL            part of every id, so that runs do not meet
                          --rate R               a second, by a clock (as fast as possible)
              await     read the answers of one run, committed ones only; print a line of JSON
                          --application ID --run LABEL --requests N
                          --from-end             started before the commands: skip what is there
                          --measure PID          add CPU seconds and peak memory of this process
                          --timeout SECONDS      (300)
              mix       print the first requests of a mix as text (needs no broker)
                          --mix M --requests N --seed S --run LABEL --partitions N
            """;

    private Main() {}

    /** Runs one sub-command; 64 is a wrong command line, 1 everything else that fails. */
    public static void main(String[] arguments) {
        try {
            dispatch(arguments);
        } catch (Options.UsageException error) {
            System.err.println("kafka-streams peer: " + error.getMessage());
            System.err.print(USAGE);
            System.exit(64);
        } catch (Exception error) {
            for (Throwable cause = error; cause != null; cause = cause.getCause()) {
                System.err.println("kafka-streams peer: " + cause);
            }
            System.exit(1);
        }
    }

    private static void dispatch(String[] arguments) throws Exception {
        if (arguments.length == 0) {
            throw new Options.UsageException("no command given");
        }
        Options options = Options.parse(List.of(arguments).subList(1, arguments.length));
        switch (arguments[0]) {
            case "topics" -> Topics.create(options);
            case "run" -> Run.run(options);
            case "produce" -> Produce.run(options);
            case "await" -> Await.run(options);
            case "mix" -> Mix.print(options);
            default -> throw new Options.UsageException("unknown command " + arguments[0]);
        }
    }
}
