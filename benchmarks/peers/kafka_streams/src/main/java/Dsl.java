import java.util.Properties;
import java.util.stream.IntStream;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.BuiltInDslStoreSuppliers.InMemoryDslStoreSuppliers;

/**
 * The table of the newest answers, grouped into hours of each series. A correction is what the DSL makes of a changed
 * row: the adder takes the new one, the subtractor the old one.
 */
public final class Dsl {
    private static final int KINDS = 5;
    private static final Bucket.Window HOURS = new Bucket.Window("hours", 60);

    public static void main(String[] args) throws InterruptedException {
        StreamsBuilder builder = new StreamsBuilder();
        KTable<String, String> answers = builder
            .stream(Runner.TOPIC, Consumed.with(Serdes.String(), Serdes.ByteArray()))
            .mapValues(json -> Answer.parse(json).text())
            .groupByKey(Grouped.with(Serdes.String(), Serdes.String()))
            .reduce((older, newer) -> newer);
        IntStream.range(0, KINDS).forEach(kind -> answers
            .groupBy((id, text) -> hour(Answer.ofText(text), kind), Grouped.with(Serdes.String(), Serdes.Integer()))
            .aggregate(
                () -> new int[Answer.SCORES],
                (bucket, score, counts) -> plus(counts, score, 1),
                (bucket, score, counts) -> plus(counts, score, -1),
                Materialized.with(Serdes.String(), Bucket.HISTOGRAM))
            .toStream()
            .mapValues((bucket, counts) -> Bucket.ofText(bucket).json(counts))
            .to(Runner.RESULTS, Produced.with(Serdes.String(), Serdes.String())));
        Properties settings = Runner.settings();
        settings.put(StreamsConfig.DSL_STORE_SUPPLIERS_CLASS_CONFIG, InMemoryDslStoreSuppliers.class);
        Runner.run(builder.build(settings), settings);
    }

    private static KeyValue<String, Integer> hour(Answer answer, int kind) {
        Cell cell = Cell.ofText(answer.cell());
        return KeyValue.pair(HOURS.at(cell.minute(), cell.series().get(kind)).text(), answer.score());
    }

    private static int[] plus(int[] counts, int score, int n) {
        counts[score] += n;
        return counts;
    }
}
