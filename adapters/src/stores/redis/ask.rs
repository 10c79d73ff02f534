//! How is Redis asked, and what does its answer say?

use redis::{Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, Script, ServerErrorKind, Value};
use tapdesk_core::ports::PortError;

use super::{Redis, fault, scripts};

impl Redis {
    /// Calls a script.
    pub(super) async fn call(&self, call: &Cmd) -> Result<Value, RedisError> {
        match self.link.send(call).await {
            Err(error) if is_unloaded(&error) => {
                self.load_scripts().await?;
                self.link.send(call).await
            }
            other => other,
        }
    }

    async fn load_scripts(&self) -> Result<(), RedisError> {
        for source in scripts::sources() {
            self.link.send(redis::cmd("SCRIPT").arg("LOAD").arg(source)).await?;
        }
        Ok(())
    }

    pub(super) async fn answer<T: FromRedisValue>(&self, call: &Cmd) -> Result<T, PortError> {
        read(self.call(call).await)
    }

    pub(super) async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: &[String],
        args: &[&str],
    ) -> Result<T, PortError> {
        self.answer(&scripts::call(script, keys, args)).await
    }

    pub(super) async fn ask_redis<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, PortError> {
        read(self.link.send(command).await)
    }

    /// Sends commands together that may be carried out twice.
    pub(super) async fn ask_all(&self, commands: &Pipeline) -> Result<Vec<Value>, PortError> {
        let mut answers = self.link.send_all(commands).await.map_err(|error| fault::port_error(&error))?;
        if answers.iter().any(|answer| answer.as_ref().is_err_and(is_unloaded)) {
            self.load_scripts().await.map_err(|error| fault::port_error(&error))?;
            answers = self.link.send_all(commands).await.map_err(|error| fault::port_error(&error))?;
        }
        answers.into_iter().map(read).collect()
    }

    pub(super) async fn ask_pipe<T: FromRedisValue>(&self, pipe: &Pipeline) -> Result<T, PortError> {
        read(Ok(Value::Array(self.ask_all(pipe).await?)))
    }
}

/// The answer as the caller wants it.
pub(super) fn read<T: FromRedisValue>(answer: Result<Value, RedisError>) -> Result<T, PortError> {
    let answer = answer.map_err(|error| fault::port_error(&error))?;
    T::from_redis_value(answer).map_err(fault::unreadable)
}

fn is_unloaded(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}
