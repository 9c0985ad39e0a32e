package stagedoor.peer;

import java.util.Map;
import org.apache.kafka.streams.state.RocksDBConfigSetter;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.BloomFilter;
import org.rocksdb.Cache;
import org.rocksdb.CompressionType;
import org.rocksdb.LRUCache;
import org.rocksdb.Options;
import org.rocksdb.WriteBufferManager;

/** RocksDB as Kafka Streams' own guide to bounded memory has it: one cache and one budget for all stores. */
public final class RocksSettings implements RocksDBConfigSetter {
    static {
        org.rocksdb.RocksDB.loadLibrary();
    }

    private static Cache cache;
    private static WriteBufferManager budget;

    @Override
    public void setConfig(String store, Options options, Map<String, Object> configs) {
        long memory = number(configs, "rocksdb.memory.bytes");
        share(memory);
        BlockBasedTableConfig table = (BlockBasedTableConfig) options.tableFormatConfig();
        table.setBlockCache(cache);
        table.setCacheIndexAndFilterBlocks(true);
        table.setCacheIndexAndFilterBlocksWithHighPriority(true);
        table.setPinTopLevelIndexAndFilter(true);
        table.setFilterPolicy(new BloomFilter(number(configs, "rocksdb.bloom.bits")));
        options.setTableFormatConfig(table);
        options.setWriteBufferManager(budget);
        options.setWriteBufferSize(number(configs, "rocksdb.memtable.bytes"));
        // Most look-ups are for users and commands that were never seen: the filter answers them in memory.
        options.setMemtablePrefixBloomSizeRatio(0.1);
        options.setMemtableWholeKeyFiltering(true);
        options.setCompressionType(CompressionType.NO_COMPRESSION);
        options.setMaxBackgroundJobs(2);
    }

    /** The cache and the budget live as long as the process: every store shares them. */
    @Override
    public void close(String store, Options options) {}

    private static synchronized void share(long memory) {
        if (cache == null) {
            cache = new LRUCache(memory, -1, false, 0.1);
            budget = new WriteBufferManager(memory / 2, cache);
        }
    }

    private static long number(Map<String, Object> configs, String key) {
        return Long.parseLong(String.valueOf(configs.get(key)));
    }
}
