//! Memory, files and compaction of the database: one budget, whatever the number of tasks.

use rocksdb::{
    BlockBasedOptions, Cache, DBCompressionType, DataBlockIndexType, Options, WriteBufferManager,
};

const MIB: usize = 1 << 20;

/// A batch comes in key order. The write buffer remembers for each store, which is the first byte
/// of a key, where the last row went in, and looks for the place of the next one from there.
const INSERT_HINTS: &str = "memtable_insert_with_hint_prefix_extractor=fixed:1";

/// Files of rows as they were flushed before they are sorted into the next level: with the default
/// buffer as much as that level has.
const LEVEL_0_FILES: i32 = 32;

/// Bounds of the database. The defaults fit one instance with a few dozen tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseOptions {
    /// Bytes of uncompressed blocks, filters and indexes kept in memory, shared by all tasks.
    pub block_cache_bytes: usize,
    /// Bytes of rows not yet in files, shared by all tasks.
    pub write_buffer_bytes: usize,
    /// Bytes of the write-ahead log, beyond which the oldest rows are written to files: bounds
    /// what is replayed at start.
    pub write_ahead_log_bytes: u64,
    /// Files held open.
    pub max_open_files: i32,
    /// Threads that flush and compact.
    pub background_jobs: i32,
    /// What is in the database is nowhere else. Damage is refused, and left as it is, instead of
    /// going back to the last point that is whole.
    pub authoritative: bool,
}

/// The options of the engine.
pub(super) struct Built {
    /// Of the database.
    pub(super) database: Options,
    /// Of the store of a task.
    pub(super) family: Options,
    /// Of a keyspace.
    pub(super) keyspace: Options,
}

impl Built {
    /// The options of a column family by its name.
    pub(super) fn of(&self, name: &str) -> &Options {
        match name.starts_with(super::keyspace::PREFIX) {
            true => &self.keyspace,
            false => &self.family,
        }
    }
}

impl Default for DatabaseOptions {
    fn default() -> Self {
        Self {
            block_cache_bytes: 64 * MIB,
            write_buffer_bytes: 32 * MIB,
            write_ahead_log_bytes: 96 << 20,
            max_open_files: 512,
            background_jobs: 2,
            authoritative: false,
        }
    }
}

impl DatabaseOptions {
    /// The options of the database, and those of its column families.
    ///
    /// # Errors
    /// Where the engine does not know an option.
    pub(super) fn build(&self) -> Result<Built, rocksdb::Error> {
        // Write buffers are charged to the cache, so its capacity is the sum of both budgets.
        let cache = Cache::new_lru_cache(self.block_cache_bytes + self.write_buffer_bytes);
        let buffers = WriteBufferManager::new_write_buffer_manager_with_cache(
            self.write_buffer_bytes,
            // Batches must not stop for a flush: the budget is a threshold, not a wall.
            false,
            cache.clone(),
        );
        let mut options = self.family_options(&cache)?;
        options.create_if_missing(true);
        options.set_write_buffer_manager(&buffers);
        options.set_max_total_wal_size(self.write_ahead_log_bytes);
        options.set_max_open_files(self.max_open_files);
        options.set_max_background_jobs(self.background_jobs);
        options.set_bytes_per_sync(1 << 20);
        options.set_wal_bytes_per_sync(1 << 20);
        options.set_keep_log_file_num(4);
        options.set_max_log_file_size(4 * MIB);
        Ok(Built {
            database: options,
            family: self.family_options(&cache)?,
            keyspace: self.keyspace_options(&cache),
        })
    }

    /// Large values are written once, to files of their own: compaction moves keys only. No
    /// filter, since nobody asks for a row that is not there.
    fn keyspace_options(&self, cache: &Cache) -> Options {
        let mut tables = BlockBasedOptions::default();
        tables.set_block_cache(cache);
        tables.set_format_version(5);
        let mut options = Options::default();
        options.set_block_based_table_factory(&tables);
        options.set_write_buffer_size(self.write_buffer_bytes / 4);
        options.set_max_write_buffer_number(4);
        options.set_level_compaction_dynamic_level_bytes(true);
        options.set_compression_type(DBCompressionType::Lz4);
        options.set_enable_blob_files(true);
        options.set_min_blob_size(1 << 10);
        options.set_blob_file_size(64 << 20);
        options.set_blob_compression_type(DBCompressionType::Lz4);
        options.set_enable_blob_gc(true);
        options
    }

    fn family_options(&self, cache: &Cache) -> Result<Options, rocksdb::Error> {
        let mut options = Options::default().get_options_from_string(INSERT_HINTS)?;
        options.set_block_based_table_factory(&table_options(cache));
        // A buffer may take a quarter of the budget, so that busy tasks do not starve the others.
        options.set_write_buffer_size(self.write_buffer_bytes / 4);
        options.set_max_write_buffer_number(4);
        options.set_level_compaction_dynamic_level_bytes(true);
        // A compaction of level 0 writes all of the level below it anew. So the two are of one
        // size; rows that are absent, most of those asked for, need no look into so many files.
        options.set_level_zero_file_num_compaction_trigger(LEVEL_0_FILES);
        options.set_level_zero_slowdown_writes_trigger(2 * LEVEL_0_FILES);
        options.set_level_zero_stop_writes_trigger(3 * LEVEL_0_FILES);
        options.set_compression_type(DBCompressionType::Lz4);
        Ok(options)
    }
}

fn table_options(cache: &Cache) -> BlockBasedOptions {
    let mut options = BlockBasedOptions::default();
    options.set_block_cache(cache);
    options.set_block_size(8 << 10);
    options.set_bloom_filter(10.0, false);
    options.set_whole_key_filtering(true);
    options.set_optimize_filters_for_memory(true);
    // Filters and indexes stay with their open files (about 1.3 bytes a row) instead of in the
    // cache: a row that is not there is what most commands ask for, and through the cache each
    // file's "no" costs several times as much.
    options.set_cache_index_and_filter_blocks(false);
    options.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
    options.set_format_version(5);
    options
}
