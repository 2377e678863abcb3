//! Facts that all transfers share.

use super::listing::Item;
use super::resume::{self, LazyManifest};
use super::store::Store;
use super::transfer::Limits;
use crate::censor::Censor;
use crate::layout::media_types::MediaTypes;
use crate::layout::paths::{FINISHED, MANIFEST};
use crate::settings::Settings;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

/// Facts that all transfers share.
#[derive(Clone, Debug)]
pub struct Context {
    /// Where to.
    pub place: Place,
    /// The secrets in force.
    pub censor: Option<Arc<Censor>>,
    /// Media types by extension.
    pub types: Arc<MediaTypes>,
    /// Memory limits of one attempt.
    pub limits: Limits,
    /// The items of the last listing, by number; `None` where there is nothing.
    pub items: Rc<[Option<Item>]>,
    /// The manifest of an earlier sidecar of the same job.
    pub previous: LazyManifest,
    /// A shorter document was stored in the place of one that was composed.
    pub shortened: Rc<Cell<bool>>,
}

/// Where objects go.
#[derive(Clone, Debug)]
pub enum Place {
    /// Into a store.
    Store(Rc<Store>),
    /// Nowhere: a dry run.
    Nowhere,
    /// The store cannot be opened; the reason is for people.
    Broken(String),
}

impl Place {
    /// Opens the destination of these settings. That it cannot be opened fails
    /// the objects, not the program (U-66, 3.9).
    fn of(settings: &Settings) -> Self {
        let Some(destination) = settings.destination.as_ref().filter(|_| !settings.upload.dry_run) else {
            return Self::Nowhere;
        };
        match Store::open(destination, &settings.credentials) {
            Ok(store) => Self::Store(Rc::new(store)),
            Err(error) => {
                tracing::error!(error = %error, dest = %destination, "The destination cannot be used");
                Self::Broken(error.to_string())
            }
        }
    }
}

impl Context {
    /// Opens the destination; nothing has been listed.
    pub fn new(settings: &Settings, censor: Option<Arc<Censor>>, limits: Limits) -> Self {
        let types = Arc::new(MediaTypes::load(&settings.upload.media_types));
        let (place, previous) = open(settings);
        Self { place, censor, types, limits, items: Rc::default(), previous, shortened: Rc::default() }
    }

    /// Opens the destination once more when it could not be opened: credentials
    /// may have been put right meanwhile.
    pub fn reopen(self: &mut Rc<Self>, settings: &Settings) {
        if let Place::Broken(_) = self.place {
            let (place, previous) = open(settings);
            *self = Rc::new(Self { place, previous, ..Self::clone(self) });
        }
    }

    /// The generation of the secrets in force; 0 when nothing is censored.
    pub fn generation(&self) -> u64 {
        self.censor.as_ref().map_or(0, |censor| censor.generation())
    }

    /// The store, where there is one.
    pub fn store(&self) -> Option<&Store> {
        match &self.place {
            Place::Store(store) => Some(store),
            Place::Nowhere | Place::Broken(_) => None,
        }
    }

    /// The text with all secrets masked.
    pub fn masked(&self, text: &str) -> String {
        self.censor.as_ref().map_or_else(|| text.to_owned(), |censor| censor.text(text))
    }
}

fn open(settings: &Settings) -> (Place, LazyManifest) {
    let place = Place::of(settings);
    let store = match &place {
        Place::Store(store) => Some(Rc::clone(store)),
        Place::Nowhere | Place::Broken(_) => None,
    };
    let manifest = settings.paths.key(MANIFEST);
    if let Some(store) = store.as_ref().filter(|_| !settings.entries.is_empty()) {
        let pointers = settings.paths.alias.iter().chain(&settings.paths.latest_build);
        let beside: Vec<&str> = pointers.map(|pointer| pointer.key.as_str()).collect();
        store.prepare(&settings.paths.key(""), &beside, &manifest, &settings.paths.key(FINISHED));
    }
    (place, resume::read_lazily(store, manifest, settings.delivery.memory_bytes()))
}
