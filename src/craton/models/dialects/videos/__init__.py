"""Native schemas of video models: bodies of StartAsyncInvoke."""
