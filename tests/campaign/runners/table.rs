//! The runners, and the state of their reports in each way of being stopped.

/// Ways of being stopped, in the order of [`Runner::expected`].
pub(crate) const WAYS: [Way; 5] = [
    Way { name: "timeout", script: false, timeout: true, prow: false },
    Way { name: "TERM", script: false, timeout: false, prow: false },
    Way { name: "script, timeout", script: true, timeout: true, prow: false },
    Way { name: "script, TERM", script: true, timeout: false, prow: false },
    Way { name: "script, timeout, Prow", script: true, timeout: true, prow: true },
];

/// One way of being stopped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) name: &'static str,
    /// In `bash -c 'RUNNER; …'` instead of directly.
    pub(crate) script: bool,
    /// By entrypoint's own timeout instead of a SIGTERM from outside.
    pub(crate) timeout: bool,
    /// With Prow's defaults instead of those of `podutils run` and `inject`.
    pub(crate) prow: bool,
}

/// A test runner with a sample of two tests, the second of which waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runner {
    pub(crate) name: &'static str,
    /// Part of every `.ci/run`.
    pub(crate) quick: bool,
    /// The folder in `samples`.
    pub(crate) sample: &'static str,
    /// Shell commands run in a copy of the folder before entrypoint starts.
    pub(crate) prepare: &'static str,
    /// The command, its words separated by spaces.
    pub(crate) command: &'static str,
    /// For each of [`WAYS`] the letters of [`crate::report::State`] that may be seen:
    /// several where the runner itself is not always of the same mind.
    pub(crate) expected: [&'static str; 5],
}

const fn runner(
    quick: bool,
    name: &'static str,
    sample: &'static str,
    [prepare, command]: [&'static str; 2],
    expected: [&'static str; 5],
) -> Runner {
    Runner { name, quick, sample, prepare, command, expected }
}

const GO: &str = "cp $RUNNERS/go.mod $RUNNERS/go.sum .";

/// The 33 runners, those first that take longest to begin.
#[rustfmt::skip]
pub(crate) const RUNNERS: [Runner; 33] = [
    runner(true, "playwright", "node", ["", "playwright test"], ["C", "C", "C", "C", "C"]),
    runner(true, "ginkgo", "ginkgo", [GO, "ginkgo --junit-report=junit.xml --output-dir=reports ./suite"], ["C", "C", "C", "C", "C"]),
    runner(true, "surefire", "surefire", ["cp -r $RUNNERS/surefire/target .", "mvn -q -o --batch-mode surefire:test"], ["P", "P", "P", "P", "P"]),
    runner(true, "pytest", "python", ["", "pytest -q --junitxml=reports/junit.xml test_sample.py"], ["P", "P", "P", "P", "P"]),
    runner(true, "xdist", "python", ["", "pytest -q -n 2 --junitxml=reports/junit.xml test_sample.py"], ["P", "P", "P", "P", "P"]),
    runner(false, "tox", "python", ["", "tox -q"], ["P", "P", "P", "P", "P"]),
    runner(false, "nox", "python", ["", "nox -s plain"], ["-", "-", "-", "-", "-"]),
    runner(false, "nox30", "python", ["", "nox -s patient"], ["P", "P", "P", "P", "P"]),
    runner(false, "uv", "python", ["", "uv run --no-project --no-sync --active pytest -q --junitxml=reports/junit.xml test_sample.py"], ["P", "P", "P", "P", "P"]),
    runner(true, "make", "python", ["", "make test"], ["P", "P", "P", "P", "P"]),
    runner(true, "ninja", "python", ["", "ninja plain"], ["P", "P", "P", "P", "P"]),
    runner(false, "ninjacon", "python", ["", "ninja shown"], ["P", "P", "P", "P", "P"]),
    runner(true, "robot", "robot", ["", "robot --output reports/output.xml --log NONE --report NONE --xunit reports/xunit.xml sample.robot"], ["C", "C", "C", "C", "C"]),
    runner(true, "behave", "behave", ["", "behave --junit --junit-directory reports"], ["C", "C", "C", "C", "C"]),
    runner(true, "locust", "locust", ["", "locust --headless -u 1 -r 1 -t 60s --html reports/locust.html"], ["C", "C", "C", "C", "C"]),
    runner(true, "jest", "node", ["", "jest --ci"], ["-", "-", "-", "-", "-"]),
    runner(true, "vitest", "node", ["", "vitest run"], ["0", "0", "0", "0", "0"]),
    runner(true, "mocha", "node", ["", "mocha --reporter xunit --reporter-option output=reports/junit.xml sample.mocha.cjs"], ["0", "0", "0", "0", "0"]),
    runner(true, "node", "node", ["", "node --test --test-reporter=junit --test-reporter-destination=reports/junit.xml sample.node.mjs"], ["XC", "XC", "XC", "XC", "XPC"]),
    runner(false, "npm-jest", "node", ["", "npm run unit-jest"], ["-", "-", "-", "-", "-"]),
    runner(false, "npm-node", "node", ["", "npm run unit"], ["XC", "XC", "XC", "XC", "XPC"]),
    runner(false, "pnpm-node", "node", ["", "pnpm --config.verify-deps-before-run=false run unit"], ["XC", "XC", "XC", "XC", "XPC"]),
    runner(false, "yarn-node", "node", ["", "yarn run unit"], ["XC", "XC", "XC", "XC", "XPC"]),
    runner(false, "berry-node", "node", ["touch yarn.lock; echo 'nodeLinker: node-modules' >.yarnrc.yml; berry install --no-immutable", "berry run unit"], ["XC", "XC", "XC", "XC", "XPC"]),
    runner(true, "bats", "bats", ["", "bats --report-formatter junit --output reports sample.bats"], ["P", "P", "P", "P", "C"]),
    runner(true, "ctest", "ctest", ["", "ctest --output-junit reports/junit.xml"], ["-", "-", "-", "-", "-"]),
    runner(true, "meson", "meson", ["meson setup build", "meson test -C build --no-rebuild"], ["C", "C", "C", "C", "C"]),
    runner(true, "gotestsum", "gotestsum", ["", "gotestsum --junitfile reports/junit.xml ./..."], ["C", "C", "C", "C", "C"]),
    runner(false, "ginkgobin", "ginkgo", ["cp $RUNNERS/go.mod $RUNNERS/go.sum . && go test -c -o own.test ./suite", "./own.test --ginkgo.junit-report=reports/junit.xml"], ["C", "C", "C", "C", "C"]),
    runner(false, "cargo test", "cargo", ["cargo test --no-run", "cargo test --offline"], ["-", "-", "-", "-", "-"]),
    runner(false, "phpunit", "phpunit", ["", "phpunit --log-junit reports/junit.xml SampleTest.php"], ["0", "0", "0", "0", "0"]),
    runner(false, "rspec", "rspec", ["", "rspec --format json --out reports/rspec.json sample_spec.rb"], ["W", "W", "W", "W", "W"]),
    runner(false, "k6", "k6", ["", "k6 run --quiet --summary-export reports/k6.json sample.js"], ["C", "C", "C", "C", "C"]),
];
