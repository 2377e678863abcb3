import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class SecondTest {
    @Test
    void second() throws Exception {
        Files.createFile(Path.of(System.getenv("REACHED")));
        Thread.sleep(60_000);
        Files.createFile(Path.of(System.getenv("FINISHED")));
    }
}
