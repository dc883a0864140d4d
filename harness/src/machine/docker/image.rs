//! The image that a container is made of.
//!
//! The user's choice (`hangproof-host-usr` names the last resort below); else the local image `hangproof:trixie`; else that image, built from `docker/Dockerfile` where its
//! base can be had; else an empty image with the host's own `/usr`, as the namespace machine has it. Each step says
//! what it does.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::StreamExt;
use testcontainers::bollard;
use testcontainers::bollard::query_parameters::CreateImageOptionsBuilder;

use super::engine::{Engine, failed};
use crate::interrupt;
use crate::machine::{MachineError, layout};
use crate::progress::Progress;

const SUITE: &str = "trixie";
const EMPTY: (&str, &str) = ("hangproof-host-usr", "1");
/// As `docker/Dockerfile` labels the images that it makes.
const LABEL: &str = "LABEL org.hangproof.image=host-usr";
const PULL_PATIENCE: Duration = Duration::from_secs(60);

/// An image by name and tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// `hangproof`.
    pub name: String,
    /// `trixie`.
    pub tag: String,
    /// Empty, except for what the host's `/usr`, mounted into it, lacks.
    pub has_host_usr: bool,
}

impl Image {
    /// Splits `NAME[:TAG]`; a colon before the last slash belongs to a registry's port.
    fn parse(text: &str) -> Self {
        let (name, tag) = match text.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, tag),
            _ => (text, "latest"),
        };
        Self { name: name.into(), tag: tag.into(), has_host_usr: false }
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.tag)?;
        if self.has_host_usr { f.write_str(" with the host's /usr") } else { Ok(()) }
    }
}

/// Finds or makes the image. Machines that boot at the same time wait for the first one's work.
pub fn resolve(
    engine: &Engine,
    wanted: Option<&str>,
    progress: &dyn Progress,
) -> Result<Image, MachineError> {
    static AT_WORK: Mutex<()> = Mutex::new(());
    let _alone = AT_WORK.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(wanted) = wanted {
        let image = Image::parse(wanted);
        if image.name == EMPTY.0 {
            return empty(engine);
        }
        if !engine.block_on(exists(engine, &image))? {
            progress.note(&format!("Pulling {image}"));
            engine.block_on(pull(engine, &image))?.map_err(|reason| MachineError::Unavailable {
                reason: format!("there is no image {image}, and it cannot be pulled ({reason})"),
                remedy: "Build it (docker/README.md), or leave --image out.".into(),
            })?;
        }
        return Ok(image);
    }
    let ours = Image::parse(&format!("hangproof:{SUITE}"));
    if engine.block_on(exists(engine, &ours))? {
        return Ok(ours);
    }
    match build(engine, &ours, progress)? {
        Ok(()) => Ok(ours),
        Err(reason) => {
            progress.note(&format!(
                "{ours} cannot be built ({reason}); using an empty image with the host's /usr"
            ));
            empty(engine)
        }
    }
}

/// What [`resolve`] would begin with, for `hangproof doctor`.
pub fn in_use(engine: &Engine) -> Result<String, MachineError> {
    let (ours, base) =
        (Image::parse(&format!("hangproof:{SUITE}")), Image::parse(&format!("debian:{SUITE}-slim")));
    Ok(if engine.block_on(exists(engine, &ours))? {
        format!("image {ours}")
    } else if engine.block_on(exists(engine, &base))? {
        format!("image {ours} is built from {base} at the first run")
    } else {
        format!("no image yet: {ours} is built if {base} can be pulled, else the host's /usr is used")
    })
}

async fn exists(engine: &Engine, image: &Image) -> bool {
    engine.docker().inspect_image(&format!("{}:{}", image.name, image.tag)).await.is_ok()
}

async fn pull(engine: &Engine, image: &Image) -> Result<(), String> {
    let options = CreateImageOptionsBuilder::new().from_image(&image.name).tag(&image.tag).build();
    let mut pulling = engine.docker().create_image(Some(options), None, None);
    let whole = async {
        while let Some(step) = pulling.next().await {
            step.map_err(|error| super::engine::chain(&error))?;
        }
        Ok(())
    };
    tokio::time::timeout(PULL_PATIENCE, whole)
        .await
        .unwrap_or_else(|_| Err("it took longer than 60 s".into()))
}

/// Builds the image with the docker client, which has both builders; or says why it cannot be built.
fn build(
    engine: &Engine,
    image: &Image,
    progress: &dyn Progress,
) -> Result<Result<(), String>, MachineError> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let dockerfile: PathBuf = workspace.join("docker/Dockerfile");
    if !dockerfile.exists() {
        return Ok(Err("this hangproof was not built from a workspace that is still there".into()));
    }
    let base = Image::parse(&format!("debian:{SUITE}-slim"));
    if !engine.block_on(exists(engine, &base))? {
        progress.note(&format!("Pulling {base}"));
        if let Err(reason) = engine.block_on(pull(engine, &base))? {
            return Ok(Err(format!("no {base}: {reason}")));
        }
    }
    progress.note(&format!("Building {image} from docker/Dockerfile, which takes some minutes"));
    let mut command = Command::new("docker");
    command.args(["build", "--quiet", "--tag", &image.to_string(), "--file"]);
    let built = interrupt::end_of(command.arg(&dockerfile).arg(&workspace));
    if interrupt::is_heard() {
        return Err(MachineError::interrupted("building an image"));
    }
    Ok(match built {
        Ok((status, _)) if status.success() => Ok(()),
        Ok((_, said)) => Err(said.trim().lines().last().unwrap_or("docker build failed").to_owned()),
        Err(error) => Err(format!("docker build: {error}")),
    })
}

/// Imports the empty image: directories, the links into `/usr`, and the least `/etc`.
fn empty(engine: &Engine) -> Result<Image, MachineError> {
    let image = Image { name: EMPTY.0.into(), tag: EMPTY.1.into(), has_host_usr: true };
    if engine.block_on(exists(engine, &image))? {
        return Ok(image);
    }
    let archive = archive().map_err(|error| MachineError::broken("making an empty image", error))?;
    let options = CreateImageOptionsBuilder::new()
        .from_src("-")
        .repo(EMPTY.0)
        .tag(EMPTY.1)
        .changes(vec![LABEL.into()])
        .build();
    let import = async {
        let mut steps =
            engine.docker().create_image(Some(options), Some(bollard::body_full(archive.into())), None);
        while let Some(step) = steps.next().await {
            step.map_err(|error| failed("importing an empty image", &error))?;
        }
        Ok(())
    };
    engine.block_on(import)?.map(|()| image)
}

fn archive() -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let header = |kind: tar::EntryType, mode, size| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size);
        header
    };
    for directory in
        ["dev", "etc", "etc/systemd", "proc", "root", "run", "sys", "tmp", "usr", "var", "var/log"]
    {
        archive.append_data(&mut header(tar::EntryType::Directory, 0o755, 0), directory, std::io::empty())?;
    }
    for link in layout::ROOT_LINKS {
        if let Ok(target) = std::fs::read_link(Path::new("/").join(link)) {
            archive.append_link(&mut header(tar::EntryType::Symlink, 0o777, 0), link, target)?;
        }
    }
    for (name, content) in layout::ETC {
        let mut header = header(tar::EntryType::Regular, 0o644, content.len() as u64);
        archive.append_data(&mut header, format!("etc/{name}"), content.as_bytes())?;
    }
    archive.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_at_the_tag_and_not_at_a_registrys_port() {
        for (text, name, tag) in [
            ("hangproof:trixie", "hangproof", "trixie"),
            ("hangproof", "hangproof", "latest"),
            ("registry.example:5000/team/x", "registry.example:5000/team/x", "latest"),
            ("registry.example:5000/team/x:2", "registry.example:5000/team/x", "2"),
        ] {
            let image = Image::parse(text);
            assert_eq!((image.name.as_str(), image.tag.as_str()), (name, tag));
        }
    }

    #[test]
    fn the_empty_image_is_small_and_has_the_links_into_usr() {
        let archive = archive().expect("an archive");
        assert!(archive.len() < 64 * 1024);
        let mut archive = tar::Archive::new(archive.as_slice());
        let names = archive
            .entries()
            .expect("entries")
            .map(|entry| entry.expect("an entry").path().expect("a path").to_string_lossy().into_owned());
        let names = names.collect::<Vec<_>>();
        for wanted in ["usr", "bin", "lib", "etc/passwd", "run"] {
            assert!(names.iter().any(|name| name.trim_end_matches('/') == wanted), "{wanted} in {names:?}");
        }
    }
}
