"""The library: what a finished file is, where it goes, and what a person says of it.

Uses `jobs`, `store`, `volume` and `contract`. `commands` asks and answers through `Catalogue`;
`service` hands the catalogue to the step `place` as its `Filing`, and runs the organizer.
"""
