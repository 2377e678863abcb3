//! Explanations for programs that the kernel refuses to run.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Machines by the number in an ELF header (`e_machine`).
const MACHINES: [(u16, &str); 8] = [
    (3, "x86"),
    (21, "powerpc64"),
    (22, "s390x"),
    (40, "arm"),
    (62, "x86_64"),
    (183, "aarch64"),
    (243, "riscv64"),
    (258, "loongarch64"),
];

/// Returns what the file is instead of a program, if that explains the kernel's error.
pub(super) fn explain(path: &Path, errno: i32) -> Option<String> {
    let meta = path.metadata().ok()?;
    match errno {
        libc::EACCES | libc::EISDIR if meta.is_dir() => Some("it is a directory".to_owned()),
        libc::EACCES if meta.permissions().mode() & 0o111 == 0 => {
            Some(format!("its mode {:04o} does not allow to run it", meta.permissions().mode() & 0o7777))
        }
        libc::ENOEXEC => Some(match machine(&head(path)) {
            Some(machine) => {
                format!("it is built for {machine}, and this machine is {}", std::env::consts::ARCH)
            }
            None => "it is neither a program nor a script that begins with #!".to_owned(),
        }),
        // The file is there, so it is another one that is not.
        libc::ENOENT => Some(match interpreter(&head(path)) {
            Some(interpreter) => format!("its interpreter {interpreter} does not exist"),
            None => "the dynamic loader that it needs does not exist".to_owned(),
        }),
        _ => None,
    }
}

fn head(path: &Path) -> Vec<u8> {
    let mut head = Vec::new();
    // What cannot be read explains nothing.
    let _ = std::fs::File::open(path).and_then(|file| file.take(128).read_to_end(&mut head));
    head
}

/// Returns the machine that an ELF file is built for.
fn machine(head: &[u8]) -> Option<String> {
    if !head.starts_with(b"\x7fELF") {
        return None;
    }
    let is_little = head.get(5) != Some(&2);
    let bytes = [*head.get(18)?, *head.get(19)?];
    let number = if is_little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) };
    let known = MACHINES.iter().find(|(other, _)| *other == number);
    Some(known.map_or_else(|| format!("machine {number}"), |(_, name)| (*name).to_owned()))
}

/// Returns the interpreter that a script names.
fn interpreter(head: &[u8]) -> Option<String> {
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let text = String::from_utf8_lossy(line);
    let shown = text.split_ascii_whitespace().next()?.chars();
    // Line ends of another system are part of the name that is looked for.
    let shown =
        if text.ends_with('\r') { shown.chain("\\r".chars()).collect() } else { shown.collect::<String>() };
    Some(shown.chars().map(|c| if c.is_control() { '?' } else { c }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_program_is_explained() {
        let dir = tempfile::tempdir().expect("a directory");
        let explained = |bytes: &[u8], errno| {
            let path = dir.path().join("program");
            std::fs::write(&path, bytes).expect("written");
            explain(&path, errno).unwrap_or_default()
        };
        let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
        elf.resize(18, 0);
        elf.extend([22, 0, 0, 0]);
        let own = std::env::consts::ARCH;
        assert_eq!(
            explained(&elf, libc::ENOEXEC),
            format!("it is built for s390x, and this machine is {own}")
        );
        (elf[5], elf[18], elf[19]) = (2, 0, 21);
        assert!(explained(&elf, libc::ENOEXEC).starts_with("it is built for powerpc64"));
        assert!(explained(b"echo", libc::ENOEXEC).starts_with("it is neither a program"));
        assert_eq!(explained(b"#!/no/such -x\n", libc::ENOENT), "its interpreter /no/such does not exist");
        assert_eq!(explained(b"#!/bin/sh\r\n", libc::ENOENT), "its interpreter /bin/sh\\r does not exist");
        assert!(explained(&elf, libc::ENOENT).contains("dynamic loader"));
        assert_eq!(explained(b"", libc::EACCES), "its mode 0644 does not allow to run it");
        assert_eq!(explain(dir.path(), libc::EACCES).as_deref(), Some("it is a directory"));
        assert_eq!(explain(&dir.path().join("absent"), libc::ENOENT), None);
        assert_eq!(explained(b"", libc::E2BIG), "");
    }
}
