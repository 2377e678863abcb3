// Writes each secret with the JDK alone.
//
//   java Writers.java LINES DIRECTORY
//
// LINES has a name, a blank and the base64 of a secret on each line, because the JDK reads no JSON.
// Makes files `java-WRITER__SECRET.READER`.
import java.io.ByteArrayOutputStream;
import java.io.StringWriter;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Properties;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.XMLFormatter;
import java.util.zip.GZIPOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.stream.XMLOutputFactory;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;

class Writers {
  static Path out;

  static void write(String writer, String name, String reader, byte[] content) throws Exception {
    Files.write(out.resolve("java-" + writer + "__" + name + "." + reader), content);
  }

  static void write(String writer, String name, String reader, String content) throws Exception {
    write(writer, name, reader, content.getBytes(StandardCharsets.UTF_8));
  }

  static void texts(String name, String secret, byte[] raw) throws Exception {
    var properties = new Properties();
    properties.setProperty("token", secret);
    properties.setProperty("a", "b");
    var bytes = new ByteArrayOutputStream();
    properties.store(bytes, null);
    write("properties", name, "properties", bytes.toByteArray());
    var text = new StringWriter();
    properties.store(text, null);
    write("properties-wide", name, "properties", text.toString());
    bytes.reset();
    properties.storeToXML(bytes, null);
    write("properties-xml", name, "entries", bytes.toByteArray());
    write("url", name, "form", "a=1&token=" + URLEncoder.encode(secret, StandardCharsets.UTF_8));
    write("uri", name, "url", new URI("https", "me:" + secret, "example.com", -1, "/", null, null).toASCIIString());
    write("uri-query", name, "url", new URI("https", "example.com", "/x", "a=" + secret, null).toString());
    write("list", name, "numbers", Arrays.toString(raw));
    write("hex", name, "hex", HexFormat.ofDelimiter(":").withUpperCase().formatHex(raw));
    write("base64", name, "base64", Base64.getEncoder().encodeToString(("user:" + secret).getBytes(StandardCharsets.UTF_8)));
    write("base64-mime", name, "base64", Base64.getMimeEncoder().encode(("some text in front " + secret).getBytes(StandardCharsets.UTF_8)));
    write("base64-url", name, "base64", Base64.getUrlEncoder().withoutPadding().encode(raw));
    write("utf-16", name, "utf-16", ("some " + secret + " text").getBytes(StandardCharsets.UTF_16));
  }

  static void markup(String name, String secret, byte[] raw) throws Exception {
    var document = DocumentBuilderFactory.newInstance().newDocumentBuilder().newDocument();
    var root = document.createElement("testsuite");
    root.setAttribute("name", secret);
    root.setTextContent(secret);
    document.appendChild(root);
    var text = new StringWriter();
    TransformerFactory.newInstance().newTransformer().transform(new DOMSource(document), new StreamResult(text));
    write("dom", name, "xml", text.toString());
    text = new StringWriter();
    var stream = XMLOutputFactory.newInstance().createXMLStreamWriter(text);
    stream.writeStartElement("a");
    stream.writeAttribute("b", secret);
    stream.writeCharacters(secret);
    stream.writeEndElement();
    stream.flush();
    write("stax", name, "xml", text.toString());
    write("logging", name, "xml", "<log>" + new XMLFormatter().format(new LogRecord(Level.INFO, "token " + secret)) + "</log>");
    var bytes = new ByteArrayOutputStream();
    try (var gzip = new GZIPOutputStream(bytes)) {
      gzip.write(raw);
    }
    write("gzip", name, "gzip", bytes.toByteArray());
    bytes.reset();
    try (var zip = new ZipOutputStream(bytes)) {
      zip.putNextEntry(new ZipEntry("META-INF/settings"));
      zip.write(raw);
      zip.closeEntry();
    }
    write("jar", name, "zip", bytes.toByteArray());
  }

  public static void main(String[] arguments) throws Exception {
    out = Path.of(arguments[1]);
    for (var line : Files.readAllLines(Path.of(arguments[0]))) {
      var words = line.split(" ");
      var raw = Base64.getDecoder().decode(words[1]);
      var secret = new String(raw, StandardCharsets.UTF_8);
      texts(words[0], secret, raw);
      markup(words[0], secret, raw);
    }
  }
}
