import org.junit.jupiter.api.Test;

class FirstTest {
    @Test
    void first() throws Exception {
    }
}
