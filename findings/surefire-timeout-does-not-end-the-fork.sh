#!/usr/bin/env bash
# Surefire's timeout waits for the test it should end.
#
# Guess: surefire.timeout (forkedProcessTimeoutInSeconds), which is described as the time after which the tests' JVM is killed,
# ends a JVM that takes longer, so that a hanging test cannot hold the build.
# Seen (maven-surefire-plugin 3.5.4, Maven 3.8.7, Java 17): with 5 seconds a test that sleeps for 25 runs to its end and passes in
# its report; then the build fails with "There was a timeout in the fork". A test that hangs for good holds the build until the
# pod's own limit: a limit of JUnit itself (junit.jupiter.execution.timeout.default) works.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
command -v mvn >/dev/null || { echo 'needs Maven and a JDK'; exit 2; }
mkdir -p src/test/java
cat >pom.xml <<'M'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>sample</groupId><artifactId>sample</artifactId><version>1</version>
  <properties>
    <maven.compiler.release>17</maven.compiler.release>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  <dependencies>
    <dependency>
      <groupId>org.junit.jupiter</groupId><artifactId>junit-jupiter</artifactId><version>5.11.4</version><scope>test</scope>
    </dependency>
  </dependencies>
  <build><plugins>
    <plugin><artifactId>maven-compiler-plugin</artifactId><version>3.13.0</version></plugin>
    <plugin><artifactId>maven-surefire-plugin</artifactId><version>3.5.4</version></plugin>
  </plugins></build>
</project>
M
cat >src/test/java/SlowTest.java <<'J'
import org.junit.jupiter.api.Test;

class SlowTest {
    @Test
    void sleeps() throws Exception {
        Thread.sleep(25_000);
    }
}
J
status=0
mvn -q -B -Dmaven.repo.local="$dir/repository" test -Dsurefire.timeout=5 >output 2>&1 || status=$?
report=target/surefire-reports/TEST-SlowTest.xml
[ -s "$report" ] || { tail -n 20 output; echo 'changed: expected a report'; exit 1; }
python3 - "$status" "$report" <<'P'
import sys, xml.etree.ElementTree as tree
suite = tree.parse(sys.argv[2]).getroot()
seconds = float(suite.find('testcase').get('time').replace(',', ''))
counts = suite.get('tests'), suite.get('errors'), suite.get('failures')
timeout = 'There was a timeout in the fork' in open('output').read()
print(f'status {sys.argv[1]}, the test ran for {seconds:.0f} s, tests/errors/failures {counts}, timeout told: {timeout}')
seen = sys.argv[1] != '0' and seconds >= 25 and counts == ('1', '0', '0') and timeout
sys.exit(0 if seen else 'changed: expected a failed build after a whole, passed test of 25 s')
P
