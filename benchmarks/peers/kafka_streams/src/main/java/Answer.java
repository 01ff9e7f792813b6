import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Instant;
import java.util.List;

/** What of an answer is counted. As a text it is a key of state: "minute/score/plan/region/age". */
record Answer(long minute, int score, String plan, String region, String age) {
    static final int SCORES = 11;
    private static final JsonFactory JSON = new JsonFactory();
    private static final int[] BANDS = {18, 25, 35, 45, 55, 65};

    /** One value of one dimension; the whole survey has neither. */
    record Series(String dimension, String value) {}

    static Answer parse(byte[] json) {
        long minute = 0;
        int score = 0;
        String plan = "", region = "", age = "";
        try (JsonParser parser = JSON.createParser(json)) {
            while (parser.nextToken() != null) {
                if (parser.currentToken() != JsonToken.FIELD_NAME) continue;
                switch (parser.currentName()) {
                    case "score" -> score = parser.nextIntValue(0);
                    case "answered_at" -> minute = Instant.parse(parser.nextTextValue()).getEpochSecond() / 60;
                    case "plan" -> plan = parser.nextTextValue();
                    case "region" -> region = parser.nextTextValue();
                    case "age" -> age = band(parser.nextIntValue(0));
                    default -> { }
                }
            }
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        return new Answer(minute, score, plan, region, age);
    }

    static Answer ofText(String text) {
        String[] parts = text.split("/");
        return new Answer(Long.parseLong(parts[0]), Integer.parseInt(parts[1]), parts[2], parts[3], parts[4]);
    }

    String text() {
        return minute + "/" + score + "/" + plan + "/" + region + "/" + age;
    }

    List<Series> series() {
        return List.of(
            new Series("", ""),
            new Series("plan", plan),
            new Series("region", region),
            new Series("age", age),
            new Series("plan x region", plan + "|" + region));
    }

    private static String band(int age) {
        if (age < BANDS[0]) return "under " + BANDS[0];
        for (int i = 1; i < BANDS.length; i++) {
            if (age < BANDS[i]) return BANDS[i - 1] + "-" + (BANDS[i] - 1);
        }
        return BANDS[BANDS.length - 1] + "+";
    }
}
