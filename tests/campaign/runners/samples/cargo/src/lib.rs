#[test]
fn first() {}

#[test]
fn second() {
    let touch = |name| std::fs::write(std::env::var(name).unwrap(), "").unwrap();
    touch("REACHED");
    std::thread::sleep(std::time::Duration::from_secs(60));
    touch("FINISHED");
}
