import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.StringJoiner;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** A bucket of one series in one window, its histogram of scores, and how they are written. */
record Bucket(String window, long number, Cell.Series series) {
    /** Window and minutes per bucket; all answers of all time are one bucket. */
    record Window(String name, int minutes) {
        Bucket at(long minute, Cell.Series series) {
            return new Bucket(name, minutes == 0 ? 0 : minute / minutes, series);
        }
    }

    static final Window[] WINDOWS = {
        new Window("1h", 1), new Window("24h", 15), new Window("7d", 120), new Window("30d", 480),
        new Window("90d", 1440), new Window("all", 0),
    };
    static final Serde<int[]> HISTOGRAM = Serdes.serdeFrom(
        (topic, counts) -> {
            if (counts == null) return null;
            ByteBuffer bytes = ByteBuffer.allocate(4 * Answer.SCORES);
            bytes.asIntBuffer().put(counts);
            return bytes.array();
        },
        (topic, bytes) -> {
            if (bytes == null) return null;
            int[] counts = new int[Answer.SCORES];
            ByteBuffer.wrap(bytes).asIntBuffer().get(counts);
            return counts;
        });

    static Bucket ofText(String text) {
        String[] parts = text.split("/", -1);
        return new Bucket(parts[0], Long.parseLong(parts[1]), new Cell.Series(parts[2], parts[3]));
    }

    String text() {
        return window + "/" + number + "/" + series.dimension() + "/" + series.value();
    }

    String json(int[] counts) {
        StringJoiner list = new StringJoiner(",", "[", "]");
        Arrays.stream(counts).forEach(count -> list.add(Integer.toString(count)));
        return "{\"window\":\"" + window + "\",\"bucket\":" + number + ",\"dimension\":\"" + series.dimension()
            + "\",\"value\":\"" + series.value() + "\",\"counts\":" + list + "}";
    }
}
