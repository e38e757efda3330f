import org.codelibs.opensearch.runner.OpenSearchRunner;

/** One OpenSearch node in this process, until it is killed: java Node.java DIRECTORY PORT. It is up when it answers. */
public final class Node {
  public static void main(String[] words) throws Exception {
    String directory = words[0];
    OpenSearchRunner runner = new OpenSearchRunner();
    runner.onBuild((number, settings) -> {
      // The newer roles need parts of OpenSearch that are not among the jars.
      settings.putList("node.roles", "cluster_manager", "data", "ingest");
      settings.put("http.port", words[1]);
      // Any free one: nobody else joins.
      settings.put("transport.port", "0");
      settings.put("discovery.type", "single-node");
      settings.putList("discovery.seed_hosts");
      // A test's machine may have little disk left; what is tested here is small.
      settings.put("cluster.routing.allocation.disk.threshold_enabled", false);
    });
    runner.build(OpenSearchRunner.newConfigs().basePath(directory).numOfNode(1).useLogger());
    Thread.currentThread().join();
  }
}
