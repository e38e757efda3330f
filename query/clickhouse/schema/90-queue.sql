-- The topic, line by line: a message may be one event (format json) or many (ndjson), compressed or not.
CREATE TABLE @database.queue @on_cluster
(
    line String
)
ENGINE = Kafka
SETTINGS
    kafka_broker_list = '@brokers',
    kafka_topic_list = '@topic',
    kafka_group_name = '@group',
    kafka_format = 'LineAsString',
    kafka_num_consumers = @consumers,
    kafka_thread_per_consumer = 1,
    kafka_max_block_size = 65536,
    kafka_flush_interval_ms = @flush_ms@kafka_settings
