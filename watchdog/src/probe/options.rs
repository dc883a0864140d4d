//! From the options to the probes: the one place where they are checked.

use std::rc::Rc;

use super::address::AddressError;
use super::connect::Endpoint;
use super::exec::ExecProbe;
#[cfg(feature = "grpc")]
use super::grpc::{self, GrpcProbe, Metadata};
use super::http::{self, Expected, FileError, Form, FormError, HeaderFileError, HttpProbe, StatusError};
use super::stream::{EscapeError, StreamProbe, unescape};
use super::tls::{TlsError, Trust};
use super::{Named, Probe};
use crate::cli::ProbeArgs;
use crate::service::children::Children;
use crate::words::command_line::CommandLineError;
use crate::words::error::Error;

/// Options that make no probe. The message says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message documents the variant")]
pub enum ProbeError {
    #[error(
        "there is nothing to probe: give at least one of --http, --http-unix, --tcp, --unix, --grpc and --exec"
    )]
    Nothing,
    #[error("set {number}, behind --next: {source}")]
    Set { number: usize, source: Box<ProbeError> },
    #[error("{option}: {problem}")]
    Option { option: String, problem: Problem },
    #[error("{option} goes with {with}: add one, or leave {option} out")]
    Alone { option: &'static str, with: &'static str },
    #[error("{option} and {other} contradict each other: {remedy}")]
    Contradiction { option: &'static str, other: &'static str, remedy: &'static str },
}

impl From<ProbeError> for Error {
    fn from(error: ProbeError) -> Self {
        Self::usage(&error)
    }
}

/// What is wrong with one option.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message documents the variant")]
pub enum Problem {
    #[error(transparent)]
    Http(#[from] http::TargetError),
    #[error(transparent)]
    Form(#[from] FormError),
    #[error(transparent)]
    HeaderFile(#[from] HeaderFileError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Status(#[from] StatusError),
    #[error("an empty text is in every body; leave the option out")]
    EmptyText,
    #[error(
        "not a regular expression that can be used: {problem}; escape what is meant as it stands, like \\. and \\[, \
        and repeat little"
    )]
    Pattern { problem: String },
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error(transparent)]
    Exec(#[from] CommandLineError),
    #[error(transparent)]
    Escape(#[from] EscapeError),
    #[cfg(feature = "grpc")]
    #[error(transparent)]
    Grpc(#[from] grpc::TargetError),
    #[cfg(feature = "grpc")]
    #[error(transparent)]
    Metadata(#[from] grpc::MetadataError),
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Makes what is wrong with `option` an error.
fn of<P: Into<Problem>>(option: &str) -> impl FnOnce(P) -> ProbeError {
    |problem| ProbeError::Option { option: option.to_owned(), problem: problem.into() }
}

/// Checks the options, and makes a probe of each that names one, in the order of the help.
pub fn probes(args: &ProbeArgs, children: &Rc<Children>) -> Result<Vec<Named>, ProbeError> {
    refuse_alone(args)?;
    let mut probes = Vec::new();
    let mut trust = Trust::new(args);
    let form = form(args)?;
    http_probes(args, &form, &mut trust, &mut probes)?;
    stream_probes(args, &mut probes)?;
    #[cfg(feature = "grpc")]
    grpc_probes(args, &form, &mut trust, &mut probes)?;
    exec_probes(args, children, &mut probes)?;
    #[cfg(feature = "tls")]
    refuse_trust_alone(args, &probes)?;
    Ok(probes)
}

fn exec_probes(args: &ProbeArgs, children: &Rc<Children>, probes: &mut Vec<Named>) -> Result<(), ProbeError> {
    for command in &args.exec {
        let name = format!("exec '{command}'");
        let probe = ExecProbe::new(command, children).map_err(of(&format!("--{name}")))?;
        probes.push(Named { name, probe: Probe::Exec(probe) });
    }
    Ok(())
}

fn http_probes(
    args: &ProbeArgs,
    form: &Form,
    trust: &mut Trust,
    probes: &mut Vec<Named>,
) -> Result<(), ProbeError> {
    let expected = expected(args)?;
    let mut add = |name, target, tls| {
        let probe = HttpProbe::new(target, tls, form.clone(), expected.clone());
        probes.push(Named { name, probe: Probe::Http(Box::new(probe)) });
    };
    for url in &args.http {
        let name = http::shown(url);
        let target = http::Target::url(url).map_err(of(&format!("--http {}", http::refused(url))))?;
        let tls = target.tls_host().map(|host| trust.with(host, "http/1.1"));
        let tls = tls.transpose().map_err(of(&format!("--http {name}")))?;
        add(name, target, tls);
    }
    for text in &args.http_unix {
        let name = format!("http-unix {}", http::shown(text));
        let target = http::Target::unix(text).map_err(of(&format!("--{name}")))?;
        add(name, target, None);
    }
    Ok(())
}

/// RFC 9110, sections 9.3.2 and 9.3.8.
const WITHOUT_BODY: [&str; 2] = ["HEAD", "TRACE"];

fn form(args: &ProbeArgs) -> Result<Form, ProbeError> {
    let mut form = Form::default();
    if let Some(method) = &args.method {
        form = form.with_method(method).map_err(of(&format!("--method {method:?}")))?;
    }
    form = http::with_data(form, &args.data)
        .map_err(|(text, error)| of::<FileError>(&format!("--data {text}"))(error))?;
    if let Some(method) = args.method.as_deref().filter(|method| WITHOUT_BODY.contains(method))
        && !args.data.is_empty()
    {
        return Err(ProbeError::Contradiction {
            option: "--data",
            other: if method == "HEAD" { "--method HEAD" } else { "--method TRACE" },
            remedy: "such a request has no body, so leave one of them out",
        });
    }
    for header in &args.header {
        // The value may be a secret, and this goes to the journal.
        let name = header.split_once(':').map_or("", |(name, _)| name);
        form = form.with_header(header).map_err(of(&format!("--header {name:?}")))?;
    }
    for path in &args.header_file {
        form = http::with_file(form, path).map_err(of(&format!("--header-file {}", path.display())))?;
    }
    Ok(form)
}

fn expected(args: &ProbeArgs) -> Result<Expected, ProbeError> {
    let mut expected = Expected { follow: args.follow_redirects, ..Expected::default() };
    if let Some(list) = &args.status {
        expected.statuses = Some(list.parse().map_err(of(&format!("--status {list:?}")))?);
    }
    if args.body.as_deref() == Some("") {
        return Err(of("--body")(Problem::EmptyText));
    }
    expected.text.clone_from(&args.body);
    #[cfg(feature = "regex")]
    if let Some(pattern) = &args.body_regex {
        let compiled = Expected::pattern(pattern)
            .map_err(|error| Problem::Pattern { problem: error.to_string() })
            .map_err(of(&format!("--body-regex {pattern:?}")))?;
        expected.pattern = Some(compiled);
    }
    if args.method.as_deref() == Some("HEAD") && expected.wants_body() {
        return Err(ProbeError::Contradiction {
            option: if args.body.is_some() { "--body" } else { "--body-regex" },
            other: "--method HEAD",
            remedy: "an answer to HEAD has no body, so leave one of them out",
        });
    }
    Ok(expected)
}

fn stream_probes(args: &ProbeArgs, probes: &mut Vec<Named>) -> Result<(), ProbeError> {
    let send = args.send.as_deref().map(unescape).transpose().map_err(of("--send"))?.unwrap_or_default();
    let expect = args.expect.as_deref().map(unescape).transpose().map_err(of("--expect"))?;
    let mut add = |name, endpoint| {
        let probe = StreamProbe::new(endpoint, send.clone(), expect.clone());
        probes.push(Named { name, probe: Probe::Stream(probe) });
    };
    for address in &args.tcp {
        let name = format!("tcp {address}");
        let endpoint = Endpoint::host_and_port(address).map_err(of(&format!("--{name}")))?;
        add(name, endpoint);
    }
    for path in &args.unix {
        let name = format!("unix {path}");
        let endpoint = Endpoint::unix(path).map_err(of(&format!("--{name}")))?;
        add(name, endpoint);
    }
    Ok(())
}

#[cfg(feature = "grpc")]
fn grpc_probes(
    args: &ProbeArgs,
    form: &Form,
    trust: &mut Trust,
    probes: &mut Vec<Named>,
) -> Result<(), ProbeError> {
    for text in &args.grpc {
        let name = format!("grpc {text}");
        let option = format!("--{name}");
        let target = grpc::Target::new(text).map_err(of(&format!("--grpc {}", http::refused(text))))?;
        let tls = target.tls_host().map(|host| trust.with(host, "h2"));
        let tls = tls.transpose().map_err(of(&option))?;
        let metadata = Metadata::new(form).map_err(of(&option))?;
        let probe = GrpcProbe::new(target, tls, &metadata).map_err(of(&option))?;
        probes.push(Named { name, probe: Probe::Grpc(Box::new(probe)) });
    }
    Ok(())
}

/// An option that no probe heeds is a mistake, and one that may let a hang go unseen.
fn refuse_alone(args: &ProbeArgs) -> Result<(), ProbeError> {
    #[cfg(feature = "regex")]
    let body_regex = args.body_regex.is_some();
    #[cfg(not(feature = "regex"))]
    let body_regex = false;
    #[cfg(feature = "grpc")]
    let (is_grpc, with_headers) = (!args.grpc.is_empty(), "--http, --http-unix or --grpc");
    #[cfg(not(feature = "grpc"))]
    let (is_grpc, with_headers) = (false, "--http or --http-unix");
    if args.http.is_empty() && args.http_unix.is_empty() {
        let with = "--http or --http-unix";
        refuse("--method", args.method.is_some(), with)?;
        refuse("--data", !args.data.is_empty(), with)?;
        refuse("--status", args.status.is_some(), with)?;
        refuse("--body", args.body.is_some(), with)?;
        refuse("--body-regex", body_regex, with)?;
        refuse("--follow-redirects", args.follow_redirects, with)?;
        refuse("--header", !args.header.is_empty() && !is_grpc, with_headers)?;
        refuse("--header-file", !args.header_file.is_empty() && !is_grpc, with_headers)?;
    }
    if args.tcp.is_empty() && args.unix.is_empty() {
        refuse("--send", args.send.is_some(), "--tcp or --unix")?;
        refuse("--expect", args.expect.is_some(), "--tcp or --unix")?;
    }
    Ok(())
}

#[cfg(feature = "tls")]
fn refuse_trust_alone(args: &ProbeArgs, probes: &[Named]) -> Result<(), ProbeError> {
    if args.ca_file.is_some() && args.insecure {
        return Err(ProbeError::Contradiction {
            option: "--ca-file",
            other: "--insecure",
            remedy: "leave --insecure out to have certificates checked",
        });
    }
    refuse("--key", args.key.is_some() && args.cert.is_none(), "--cert")?;
    if !probes.iter().any(|named| named.probe.is_over_tls()) {
        refuse("--ca-file", args.ca_file.is_some(), "a probe of https://")?;
        refuse("--insecure", args.insecure, "a probe of https://")?;
        refuse("--server-name", args.server_name.is_some(), "a probe of https://")?;
        refuse("--cert", args.cert.is_some(), "a probe of https://")?;
    }
    Ok(())
}

fn refuse(option: &'static str, given: bool, with: &'static str) -> Result<(), ProbeError> {
    if given { Err(ProbeError::Alone { option, with }) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
