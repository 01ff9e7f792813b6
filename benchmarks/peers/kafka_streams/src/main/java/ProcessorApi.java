import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/**
 * All windows of all series by hand: partial counts per partition, no repartition topic. Answers are first summed into
 * cells of equal attributes and minute, and spread over series and windows once a second.
 */
public final class ProcessorApi {
    private static final String COUNTED = "counted", CELLS = "cells", BUCKETS = "buckets";

    public static void main(String[] args) throws InterruptedException {
        Topology topology = new Topology();
        topology
            .addSource("answers", Serdes.String().deserializer(), Serdes.ByteArray().deserializer(), Runner.TOPIC)
            .addProcessor("count", Count::new, "answers")
            .addStateStore(store(COUNTED, Serdes.String()).withCachingDisabled(), "count")
            .addStateStore(store(CELLS, Bucket.HISTOGRAM).withCachingEnabled(), "count")
            .addStateStore(store(BUCKETS, Bucket.HISTOGRAM).withCachingEnabled(), "count")
            .addSink("results", Runner.RESULTS, Serdes.String().serializer(), Serdes.String().serializer(), "count");
        Runner.run(topology, Runner.settings());
    }

    private static <V> StoreBuilder<KeyValueStore<String, V>> store(String name, Serde<V> values) {
        return Stores.keyValueStoreBuilder(Stores.inMemoryKeyValueStore(name), Serdes.String(), values);
    }

    private static final class Count implements Processor<String, byte[], String, String> {
        private ProcessorContext<String, String> context;
        private KeyValueStore<String, String> counted; // response id -> what was counted
        private KeyValueStore<String, int[]> cells; // what is not spread yet, by score
        private KeyValueStore<String, int[]> buckets;

        @Override
        public void init(ProcessorContext<String, String> context) {
            this.context = context;
            counted = context.getStateStore(COUNTED);
            cells = context.getStateStore(CELLS);
            buckets = context.getStateStore(BUCKETS);
            Duration every = Duration.ofMillis(Runner.COMMIT_MS);
            context.schedule(every, PunctuationType.WALL_CLOCK_TIME, this::spread);
        }

        @Override
        public void process(Record<String, byte[]> record) {
            Answer answer = Answer.parse(record.value());
            String text = answer.text();
            String before = counted.get(record.key());
            if (text.equals(before)) return;
            counted.put(record.key(), text);
            add(answer, 1);
            if (before != null) add(Answer.ofText(before), -1);
        }

        private void add(Answer answer, int n) {
            int[] counts = cells.get(answer.cell());
            if (counts == null) counts = new int[Answer.SCORES];
            counts[answer.score()] += n;
            cells.put(answer.cell(), counts);
        }

        private void spread(long now) {
            Map<Bucket, int[]> changes = new HashMap<>();
            try (KeyValueIterator<String, int[]> all = cells.all()) {
                while (all.hasNext()) {
                    KeyValue<String, int[]> entry = all.next();
                    Cell cell = Cell.ofText(entry.key);
                    for (Cell.Series series : cell.series()) {
                        for (Bucket.Window window : Bucket.WINDOWS) {
                            Bucket bucket = window.at(cell.minute(), series);
                            plus(changes.computeIfAbsent(bucket, any -> new int[Answer.SCORES]), entry.value);
                        }
                    }
                    cells.delete(entry.key);
                }
            }
            changes.forEach((bucket, change) -> {
                String key = bucket.text();
                int[] counts = buckets.get(key);
                plus(change, counts == null ? new int[Answer.SCORES] : counts);
                buckets.put(key, change);
                context.forward(new Record<>(context.taskId() + "/" + key, bucket.json(change), now));
            });
        }

        private static void plus(int[] sum, int[] counts) {
            for (int score = 0; score < sum.length; score++) sum[score] += counts[score];
        }
    }
}
