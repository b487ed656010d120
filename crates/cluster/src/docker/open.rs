//! Making a cluster, or taking one that is there.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    Engine, Error, InDocker, Phase, Programs, Progress, Provider, Spec, address,
    cluster::Removal,
    command::Commands,
    early,
    engine::Container,
    k3d, kind,
    record::{Asked, Owner, Place, Record},
};
use crate::kubernetes::install::cache_folder;

/// How long a cluster of ours that was stopped may take to be started.
const START: Duration = Duration::from_secs(120);

/// This machine's Docker with the programs that make clusters in it.
#[derive(Clone, Debug)]
pub struct Docker {
    commands: Commands,
    root: PathBuf,
}

/// Is told what happens.
type Tell<'a> = &'a mut (dyn FnMut(Progress) + Send);

impl Docker {
    /// With the programs on `PATH`; what is remembered of clusters is in emu's cache folder.
    pub fn here() -> Self {
        Self::with(Programs::on_path(), cache_folder().join("clusters"))
    }

    /// With programs from elsewhere and a folder of one's own.
    pub fn with(programs: Programs, folder: impl Into<PathBuf>) -> Self {
        Self {
            commands: Commands(programs),
            root: folder.into(),
        }
    }

    /// Looks whether the program is there and an engine answers.
    ///
    /// # Errors
    /// When not.
    pub async fn look(&self, provider: Provider) -> Result<Engine, Error> {
        self.commands.0.find("docker")?;
        self.commands.0.find(provider.program())?;
        self.commands.engine().await
    }

    /// Makes a cluster, or takes one of that name that we made before.
    ///
    /// Nothing stays of what fails, also when the future is dropped.
    ///
    /// # Errors
    /// When Docker or the program is not there, the name is taken by a cluster that is not ours, or something does not come up.
    pub async fn open(&self, spec: &Spec, tell: Tell<'_>) -> Result<InDocker, Error> {
        self.open_with(spec, None, tell).await
    }

    /// The same; one that kind makes gets emu's own image with this program while it comes up, which takes no time then.
    ///
    /// # Errors
    /// The same. That the image does not go in is none: see [`InDocker::loaded`].
    pub async fn open_with(
        &self,
        spec: &Spec,
        program: Option<PathBuf>,
        tell: Tell<'_>,
    ) -> Result<InDocker, Error> {
        let provider = spec.provider;
        fits(spec)?;
        let watch = Watch::begin(Phase::Engine, provider, tell);
        self.look(provider).await?;
        let exists = self.names(provider).await?.contains(&spec.name);
        watch.done(tell);

        let place = Place::of(&self.root, provider, &spec.name);
        let removal = Removal::new(&self.commands, provider, &spec.name, &place);
        let found = match self.ours(spec, &place, exists).await? {
            Standing::Absent => None,
            Standing::Half => {
                removal.run(tell).await?;
                None
            }
            Standing::Whole(record, container) => Some((record, container)),
        };
        let made = found.is_none();
        let mut loaded = None;
        let node = control_plane(provider, &spec.name);
        let cluster;
        let container = match found {
            Some((record, container)) => {
                tell(Progress::Reused(provider, spec.name.clone()));
                place.write(&Record {
                    owner: Some(Owner::me()),
                    ..record.as_ref().clone()
                })?;
                cluster = InDocker::new(&self.commands, spec, &place, made, record.asked.nodes);
                if container.running {
                    container
                } else {
                    self.start(spec, &node, tell).await?
                }
            }
            None => {
                // From here on it is removed, whatever happens.
                cluster = self.begin(spec, &place).await?;
                loaded = self.create(spec, &place, program, tell).await?;
                self.container(&node).await?
            }
        };
        self.fetch_kubeconfig(spec, &place, made).await?;
        let watch = Watch::begin(Phase::Address, provider, tell);
        let host = address::find(&self.commands, provider, spec.family, &node, &container).await?;
        watch.done(tell);
        if made {
            let record = place.read().ok_or_else(|| lost(&place))?;
            place.write(&Record {
                container: Some(container.id),
                ..record
            })?;
        }
        Ok(cluster.reached_at(host, loaded))
    }

    /// Removes a cluster of ours. Says whether there was one.
    ///
    /// # Errors
    /// When there is one of that name that is not ours, or that another process uses.
    pub async fn down(
        &self,
        provider: Provider,
        name: &str,
        tell: Tell<'_>,
    ) -> Result<bool, Error> {
        let spec = Spec::new(provider, name);
        fits(&spec)?;
        self.look(provider).await?;
        let exists = self.names(provider).await?.contains(&spec.name);
        let place = Place::of(&self.root, provider, name);
        // What it was made for does not matter to its end.
        if self.standing(&spec, &place, exists).await? == Standing::Absent {
            place.remove();
            return Ok(false);
        }
        Removal::new(&self.commands, provider, name, &place)
            .run(tell)
            .await?;
        Ok(true)
    }

    /// Removes the clusters of processes that ended without doing so, and returns their names. Kept ones stay.
    ///
    /// # Errors
    /// With the first that could not be removed.
    pub async fn sweep(&self, tell: Tell<'_>) -> Result<Vec<String>, Error> {
        let mut removed = Vec::new();
        for place in Place::all(&self.root) {
            let Some(record) = place.read() else { continue };
            let left = record.owner.as_ref().is_some_and(|owner| !owner.lives());
            let provider = [Provider::Kind, Provider::K3d]
                .into_iter()
                .find(|p| p.program() == record.provider);
            if let Some(provider) = provider.filter(|_| left)
                && self.down(provider, &record.name, tell).await?
            {
                removed.push(format!("{provider} cluster {}", record.name));
            }
        }
        Ok(removed)
    }

    async fn names(&self, provider: Provider) -> Result<Vec<String>, Error> {
        let list = match provider {
            Provider::Kind => kind::list(),
            Provider::K3d => k3d::list(),
        };
        let answer = self.commands.ask(&strs(&list)).await?;
        let command = answer.command.clone();
        let stdout = answer.ok()?;
        match provider {
            Provider::Kind => Ok(kind::listed(&stdout)),
            Provider::K3d => k3d::listed(&stdout).map_err(|e| Error::Answer {
                command,
                why: e.to_string(),
            }),
        }
    }

    /// The same as [`standing`](Self::standing), for one that is to be used: it must be what is asked for.
    async fn ours(&self, spec: &Spec, place: &Place, exists: bool) -> Result<Standing, Error> {
        let standing = self.standing(spec, place, exists).await?;
        let wanted = Asked::of(spec);
        if let Standing::Whole(record, _) = &standing
            && !record.asked.serves(&wanted)
        {
            return Err(Error::Differs {
                provider: spec.provider,
                name: spec.name.clone(),
                has: record.asked.to_string(),
                wanted: wanted.to_string(),
            });
        }
        Ok(standing)
    }

    async fn standing(&self, spec: &Spec, place: &Place, exists: bool) -> Result<Standing, Error> {
        let record = place.read();
        if let Some(owner) = record.as_ref().and_then(|r| r.owner.as_ref())
            && owner.lives()
        {
            return Err(Error::Busy {
                provider: spec.provider,
                name: spec.name.clone(),
                process: owner.process,
            });
        }
        if !exists {
            return Ok(Standing::Absent);
        }
        let not_ours = || Error::Exists {
            provider: spec.provider,
            name: spec.name.clone(),
        };
        let record = record.ok_or_else(not_ours)?;
        let Some(id) = &record.container else {
            return Ok(Standing::Half);
        };
        let node = control_plane(spec.provider, &spec.name);
        match self.commands.container(&node).await? {
            Some(container) if container.id == *id => {
                Ok(Standing::Whole(Box::new(record), container))
            }
            _ => Err(not_ours()),
        }
    }

    /// Remembers that a cluster is about to be made.
    async fn begin(&self, spec: &Spec, place: &Place) -> Result<InDocker, Error> {
        let network = network(spec);
        let record = Record {
            provider: spec.provider.program().into(),
            name: spec.name.clone(),
            owner: Some(Owner::me()),
            container: None,
            made_network: !self.commands.has_network(&network).await?,
            asked: Asked::of(spec),
        };
        if spec.provider == Provider::Kind {
            let given = spec.config.as_deref().map(read_config).transpose()?;
            let config = kind::configuration(spec, given)?;
            place.put("config.yaml", &format!("{config:#}"))?;
        }
        place.write(&record)?;
        Ok(InDocker::new(&self.commands, spec, place, true, spec.nodes))
    }

    /// Makes it. What it gives is [`InDocker::loaded`].
    async fn create(
        &self,
        spec: &Spec,
        place: &Place,
        program: Option<PathBuf>,
        tell: Tell<'_>,
    ) -> Result<Option<String>, Error> {
        let watch = Watch::begin(Phase::Create, spec.provider, tell);
        let create = match spec.provider {
            Provider::Kind => kind::create(spec, &place.config(), &place.kubeconfig()),
            Provider::K3d => k3d::create(spec)?,
        };
        let mut line = |line: &str| {
            let said = match spec.provider {
                Provider::Kind => kind::step(line),
                Provider::K3d => k3d::step(line),
            };
            if let Some(said) = said {
                tell(Progress::Said(spec.provider, said.to_owned()));
            }
        };
        let (answer, loaded) =
            early::create(&self.commands, spec, &create, program, &mut line).await?;
        answer.ok()?;
        watch.done(tell);
        Ok(loaded)
    }

    /// Starts the stopped containers of a cluster of ours.
    async fn start(&self, spec: &Spec, node: &str, tell: Tell<'_>) -> Result<Container, Error> {
        let watch = Watch::begin(Phase::Start, spec.provider, tell);
        let words = match spec.provider {
            Provider::Kind => {
                let mut words = vec!["docker".to_owned(), "start".to_owned()];
                words.extend(kind::nodes(spec));
                words
            }
            Provider::K3d => k3d::start(&spec.name),
        };
        self.commands
            .run(&strs(&words), START, &mut |_| {})
            .await?
            .ok()?;
        let container = self.container(node).await?;
        watch.done(tell);
        Ok(container)
    }

    async fn container(&self, name: &str) -> Result<Container, Error> {
        let found = self.commands.container(name).await?;
        found.ok_or_else(|| Error::Answer {
            command: format!("docker container inspect {name}"),
            why: "there is no such container, though the cluster was just there".into(),
        })
    }

    /// kind writes it when it makes a cluster; otherwise it is asked for.
    async fn fetch_kubeconfig(&self, spec: &Spec, place: &Place, made: bool) -> Result<(), Error> {
        let words = match spec.provider {
            Provider::Kind if made && place.kubeconfig().exists() => return Ok(()),
            Provider::Kind => kind::kubeconfig(&spec.name),
            Provider::K3d => k3d::kubeconfig(&spec.name),
        };
        let text = self.commands.ask(&strs(&words)).await?.ok()?;
        place.put("kubeconfig", &text)
    }
}

/// How a name stands.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    Absent,
    /// Of a process that ended while it made it.
    Half,
    Whole(Box<Record>, Container),
}

/// Times a phase.
struct Watch(Phase, Provider, Instant);

impl Watch {
    fn begin(phase: Phase, provider: Provider, tell: Tell<'_>) -> Self {
        tell(Progress::Begun(phase, provider));
        Self(phase, provider, Instant::now())
    }

    fn done(self, tell: Tell<'_>) {
        tell(Progress::Done(self.0, self.1, self.2.elapsed()));
    }
}

/// The container that [`Record::container`] names.
fn control_plane(provider: Provider, name: &str) -> String {
    match provider {
        Provider::Kind => kind::control_plane(name),
        Provider::K3d => k3d::control_plane(name),
    }
}

/// The Docker network of a cluster's nodes.
pub(super) fn network(spec: &Spec) -> String {
    match spec.provider {
        Provider::Kind => std::env::var("KIND_EXPERIMENTAL_DOCKER_NETWORK")
            .ok()
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "kind".into()),
        Provider::K3d => format!("k3d-{}", spec.name),
    }
}

/// A name is part of containers' and files' names.
fn fits(spec: &Spec) -> Result<(), Error> {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let name = &spec.name;
    if name.is_empty() || name.starts_with('-') || name.len() > 32 || !name.chars().all(known) {
        return Err(Error::Unsupported {
            provider: spec.provider,
            what: format!(
                "a cluster named `{name}`: lower-case letters, digits and hyphens are allowed, 32 at most"
            ),
        });
    }
    Ok(())
}

fn read_config(path: &Path) -> Result<Value, Error> {
    let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
    serde_saphyr::from_str(&text).map_err(|e| Error::Config {
        path: path.to_owned(),
        why: e.to_string(),
    })
}

fn lost(place: &Place) -> Error {
    Error::File {
        path: place.kubeconfig(),
        source: std::io::ErrorKind::NotFound.into(),
    }
}

pub(super) fn strs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}
