//! The stories of several tapdesks on one Redis.

mod sharing;
mod taking_over;
