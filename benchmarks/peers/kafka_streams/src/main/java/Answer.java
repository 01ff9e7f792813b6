import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Instant;

/** What of an answer is counted: the cell that it falls into, and its score. */
record Answer(String cell, int score) {
    static final int SCORES = 11;
    private static final JsonFactory JSON = new JsonFactory();
    private static final int[] BANDS = {18, 25, 35, 45, 55, 65};

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
        return new Answer(new Cell(minute, plan, region, age).text(), score);
    }

    static Answer ofText(String text) {
        int end = text.lastIndexOf('/');
        return new Answer(text.substring(0, end), Integer.parseInt(text.substring(end + 1)));
    }

    String text() {
        return cell + "/" + score;
    }

    private static String band(int age) {
        if (age < BANDS[0]) return "under " + BANDS[0];
        for (int i = 1; i < BANDS.length; i++) {
            if (age < BANDS[i]) return BANDS[i - 1] + "-" + (BANDS[i] - 1);
        }
        return BANDS[BANDS.length - 1] + "+";
    }
}
