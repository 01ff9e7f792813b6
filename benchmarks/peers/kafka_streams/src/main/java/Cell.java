import java.util.List;

/** Answers of the same minute and attributes, which feed the same buckets. */
record Cell(long minute, String plan, String region, String age) {
    /** One value of one dimension; the whole survey has neither. */
    record Series(String dimension, String value) {}

    static Cell ofText(String text) {
        String[] parts = text.split("/");
        return new Cell(Long.parseLong(parts[0]), parts[1], parts[2], parts[3]);
    }

    String text() {
        return minute + "/" + plan + "/" + region + "/" + age;
    }

    List<Series> series() {
        return List.of(
            new Series("", ""),
            new Series("plan", plan),
            new Series("region", region),
            new Series("age", age),
            new Series("plan x region", plan + "|" + region));
    }
}
