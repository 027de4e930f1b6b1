import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.cloudevents.CloudEvent;
import io.cloudevents.core.builder.CloudEventBuilder;
import io.cloudevents.http.HttpMessageFactory;
import io.cloudevents.jackson.JsonFormat;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.URI;
import java.time.OffsetDateTime;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Sends events of usage with the SDK of CloudEvents for Java, with its defaults, in each mode. Reads {"address",
 * "token", "event"} from stdin, and writes the statuses by mode to stdout as JSON.
 */
public final class Send {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static JsonNode order;

  public static void main(String[] arguments) throws IOException {
    order = JSON.readTree(System.in);
    Map<String, Integer> statuses = new LinkedHashMap<>();
    statuses.put("binary", send(event("java-binary"), false));
    statuses.put("structured", send(event("java-structured"), true));
    System.out.println(JSON.writeValueAsString(statuses));
  }

  private static CloudEvent event(String id) throws IOException {
    JsonNode event = order.get("event");
    return CloudEventBuilder.v1()
        .withId(id)
        .withSource(URI.create(event.get("source").asText()))
        .withType(event.get("type").asText())
        .withSubject(event.get("subject").asText())
        .withTime(OffsetDateTime.parse(event.get("time").asText()))
        .withExtension("sampledrate", 1)
        .withData("application/json", JSON.writeValueAsBytes(event.get("data")))
        .build();
  }

  private static int send(CloudEvent event, boolean structured) throws IOException {
    HttpURLConnection connection =
        (HttpURLConnection) URI.create(order.get("address").asText()).toURL().openConnection();
    connection.setRequestMethod("POST");
    connection.setDoOutput(true);
    connection.setRequestProperty("Authorization", "Bearer " + order.get("token").asText());
    var writer =
        HttpMessageFactory.createWriter(
            connection::setRequestProperty,
            body -> {
              try {
                connection.getOutputStream().write(body);
              } catch (IOException failure) {
                throw new IllegalStateException(failure);
              }
            });
    if (structured) {
      writer.writeStructured(event, JsonFormat.CONTENT_TYPE);
    } else {
      writer.writeBinary(event);
    }
    return connection.getResponseCode();
  }
}
