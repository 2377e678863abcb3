// Writes each secret with the libraries of tools/pom.xml: Gson, Jackson, SnakeYAML.
//
//   java -cp 'JARS/*' Libraries.java LINES DIRECTORY
//
// LINES has a name, a blank and the base64 of a secret on each line. Makes files
// `java-WRITER__SECRET.READER`.
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.yaml.snakeyaml.DumperOptions;
import org.yaml.snakeyaml.Yaml;

class Libraries {
  static Path out;

  static void write(String writer, String name, String reader, String content) throws Exception {
    Files.writeString(out.resolve("java-" + writer + "__" + name + "." + reader), content);
  }

  static String yaml(Object data, DumperOptions.FlowStyle flow, DumperOptions.ScalarStyle style, int width) {
    var options = new DumperOptions();
    options.setDefaultFlowStyle(flow);
    options.setDefaultScalarStyle(style);
    options.setWidth(width);
    return new Yaml(options).dump(data);
  }

  static void all(String name, String secret, byte[] raw) throws Exception {
    Map<String, Object> data = new LinkedHashMap<>();
    data.put("token", secret);
    data.put("list", List.of("x", secret));
    data.put("text", "a prefix of some length, so that it folds where a writer folds: " + secret + " and an end");

    var gson = new Gson();
    write("gson", name, "json", gson.toJson(data));
    write("gson-pretty", name, "json", new GsonBuilder().setPrettyPrinting().create().toJson(data));
    write("gson-plain", name, "json", new GsonBuilder().disableHtmlEscaping().create().toJson(data));
    write("gson-twice", name, "json", gson.toJson(Map.of("Output", gson.toJson(data))));
    write("gson-bytes", name, "numbers", gson.toJson(raw));

    var jackson = new ObjectMapper();
    write("jackson", name, "json", jackson.writeValueAsString(data));
    write("jackson-pretty", name, "json", jackson.writerWithDefaultPrettyPrinter().writeValueAsString(data));
    write("jackson-twice", name, "json", jackson.writeValueAsString(Map.of("Output", jackson.writeValueAsString(data))));
    write("jackson-bytes", name, "json-base64", jackson.writeValueAsString(Map.of("data", raw)));
    var ascii = JsonMapper.builder().enable(JsonWriteFeature.ESCAPE_NON_ASCII, JsonWriteFeature.ESCAPE_FORWARD_SLASHES);
    write("jackson-ascii", name, "json", ascii.build().writeValueAsString(data));

    for (var flow : DumperOptions.FlowStyle.values()) {
      for (var style : DumperOptions.ScalarStyle.values()) {
        var writer = ("snakeyaml-" + flow.name() + "-" + style.name()).toLowerCase().replace('_', '-');
        write(writer, name, "yaml", yaml(data, flow, style, 80));
      }
    }
    write("snakeyaml-narrow", name, "yaml", yaml(data, DumperOptions.FlowStyle.BLOCK, DumperOptions.ScalarStyle.DOUBLE_QUOTED, 30));
    write("snakeyaml-bytes", name, "yaml", new Yaml().dump(Map.of("data", raw)));
  }

  public static void main(String[] arguments) throws Exception {
    out = Path.of(arguments[1]);
    for (var line : Files.readAllLines(Path.of(arguments[0]))) {
      var words = line.split(" ");
      var raw = Base64.getDecoder().decode(words[1]);
      all(words[0], new String(raw, StandardCharsets.UTF_8), raw);
    }
  }
}
