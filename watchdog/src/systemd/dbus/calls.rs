//! Whom we call: systemd, by one of its objects, and the bus between, where there is one.

use super::names::{BUS, BUS_PATH, MANAGER, MANAGER_PATH, PROPERTIES, SYSTEMD};
use super::wire::{Argument, Call, Incoming};
use super::{CALL_TIMEOUT, CallError, Connection, Property};

impl Connection {
    /// Calls a method of one of systemd's objects.
    pub async fn systemd(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        arguments: &[Argument<'_>],
    ) -> Result<Incoming, CallError> {
        let call = Call { destination: SYSTEMD, path, interface, method };
        self.call(call, arguments, CALL_TIMEOUT).await
    }

    /// Calls a method of systemd's manager.
    pub async fn manager(&self, method: &str, arguments: &[Argument<'_>]) -> Result<Incoming, CallError> {
        self.systemd(MANAGER_PATH, MANAGER, method, arguments).await
    }

    /// A property of one of systemd's objects; [`None`] where that is of a type which nothing here has.
    pub async fn property(
        &self,
        path: &str,
        interface: &str,
        property: &str,
    ) -> Result<Option<Property>, CallError> {
        let arguments = [Argument::Text(interface), Argument::Text(property)];
        let reply = self.systemd(path, PROPERTIES, "Get", &arguments).await?;
        reply.body().value().map_err(|_| CallError::Malformed)
    }

    /// Calls a method of the bus itself.
    pub async fn bus(&self, method: &str, arguments: &[Argument<'_>]) -> Result<Incoming, CallError> {
        let call = Call { destination: BUS, path: BUS_PATH, interface: BUS, method };
        self.call(call, arguments, CALL_TIMEOUT).await
    }
}
