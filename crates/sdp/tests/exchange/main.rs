//! Offers and answers as peers write them, and as nobody should.

mod answers;
mod codecs;
mod corpus;
mod offers;
mod replay;
mod security;
