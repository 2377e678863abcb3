//! `podutils censor`: sidecar's masking as a filter, to try what would be masked.

use crate::terminal::{self, Problem};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use sidecar::censor::{Censor, CensoringOptions, Explainer, Secrets};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

/// The subcommand's name.
pub(crate) const SUBCOMMAND: &str = "censor";

/// Bytes asked of the input at a time.
const READ_BYTES: usize = 256 * 1024;

const AFTER_HELP: &str = "\
The text comes out on stdout with an X for each byte that is masked, what --explain tells on stderr:
one line for each masked place, with its offset and length in bytes, the file of the secret and the
form in which it was found. Files are taken as plain bytes: sidecar also looks into gzip, zip and tar.

Exit status: 0 when all of the text was written; 1 when a secret directory or the text cannot be
read, or with --strict when a secret cannot be loaded; 2 for a wrong flag.

Example: kubectl logs my-pod | podutils censor --secrets ./secrets --explain";

/// The subcommand.
pub(crate) fn command() -> Command {
    let list = |name: &'static str, value: &'static str| {
        Arg::new(name).long(name).value_name(value).action(ArgAction::Append)
    };
    Command::new(SUBCOMMAND)
        .about("Masks secrets in a text, as sidecar does")
        .after_help(AFTER_HELP)
        .arg(
            list("secrets", "DIRECTORY")
                .value_parser(value_parser!(PathBuf))
                .required(true)
                .help("directory whose files are secrets, repeatable"),
        )
        .arg(list("ini-filename", "NAME").help("secret that is an INI file, repeatable"))
        .arg(list("structured-filename", "NAME").help("secret that is a YAML or JSON document, repeatable"))
        .arg(
            Arg::new("minimum-secret-length")
                .long("minimum-secret-length")
                .value_name("BYTES")
                .value_parser(value_parser!(i64).range(0..))
                .help("shorter secrets are not masked"),
        )
        .arg(
            Arg::new("explain")
                .long("explain")
                .action(ArgAction::SetTrue)
                .help("tell which secret was found where"),
        )
        .arg(
            Arg::new("strict")
                .long("strict")
                .action(ArgAction::SetTrue)
                .help("write nothing when a secret cannot be loaded"),
        )
        .arg(
            Arg::new("FILE")
                .value_parser(value_parser!(PathBuf))
                .default_value("-")
                .help("the text; - is stdin"),
        )
}

/// Runs the subcommand; gives the exit status.
pub(crate) fn run(matches: &ArgMatches) -> Result<u8, Problem> {
    let options = options(matches)?;
    let mut secrets = Secrets::new(&options, &[]);
    secrets.read();
    let censor = Censor::new(&secrets, &options, 1);
    for problem in censor.problems() {
        terminal::line(&problem.to_string());
    }
    for path in censor.unmasked() {
        terminal::line(&format!("a value in {path} is not masked: it is too short, or a boolean"));
    }
    if let Some(reason) = censor.withholds_everything() {
        return Err(Problem::new(reason));
    }
    let explainer = matches.get_flag("explain").then(|| Explainer::new(&secrets));
    let path = matches.get_one::<PathBuf>("FILE").cloned().unwrap_or_else(|| "-".into());
    let unreadable = |error: io::Error| Problem::new(format!("{}: {error}", path.display()));
    let mut input: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(&path).map_err(unreadable)?)
    };
    match filter(&mut input, &mut io::stdout().lock(), &censor, explainer) {
        Ok(()) => Ok(0),
        // Who closed the pipe has seen enough.
        Err(Broken::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        Err(Broken::Output(error)) => Err(Problem::new(format!("stdout: {error}"))),
        Err(Broken::Input(error)) => Err(unreadable(error)),
    }
}

fn options(matches: &ArgMatches) -> Result<CensoringOptions, Problem> {
    let strings = |name: &str| matches.get_many::<String>(name).unwrap_or_default().cloned().collect();
    let mut directories = Vec::new();
    for directory in matches.get_many::<PathBuf>("secrets").unwrap_or_default() {
        let shown = directory.display().to_string();
        std::fs::read_dir(directory).map_err(|error| Problem::new(format!("--secrets {shown}: {error}")))?;
        directories.push(
            directory
                .to_str()
                .map(str::to_owned)
                .ok_or_else(|| Problem::new(format!("--secrets {shown}: the path is not UTF-8")))?,
        );
    }
    Ok(CensoringOptions {
        secret_directories: directories,
        ini_filenames: strings("ini-filename"),
        structured_filenames: strings("structured-filename"),
        minimum_secret_length: matches.get_one::<i64>("minimum-secret-length").copied(),
        strict: matches.get_flag("strict"),
        ..CensoringOptions::default()
    })
}

enum Broken {
    Input(io::Error),
    Output(io::Error),
}

/// Passes a text on, masked. Memory does not depend on its length.
fn filter(
    input: &mut dyn Read,
    output: &mut dyn Write,
    censor: &Censor,
    mut explainer: Option<Explainer>,
) -> Result<(), Broken> {
    let mut mask = censor.stream();
    let mut window = Vec::with_capacity(2 * READ_BYTES);
    loop {
        let read = input.take(READ_BYTES as u64).read_to_end(&mut window).map_err(Broken::Input)?;
        let end = read == 0;
        let was = if explainer.is_some() { window.clone() } else { Vec::new() };
        let released = mask.as_mut().map_or(window.len(), |mask| mask.mask(&mut window, end));
        if let Some(explainer) = &mut explainer {
            for found in explainer.explain(&was, &window, released) {
                let (offset, bytes) = (found.offset, found.bytes);
                terminal::raw(&format!("{offset}: {bytes} bytes, {} ({})", found.file, found.encoding));
            }
        }
        output.write_all(&window[..released]).map_err(Broken::Output)?;
        window.drain(..released);
        if end {
            return output.flush().map_err(Broken::Output);
        }
    }
}
