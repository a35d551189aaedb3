namespace InterGuest.TopologyFiles;

/// <summary>A topology file that cannot be read. The message begins with the file and, where there is one, the line.</summary>
public sealed class TopologyFileException(string message, Exception? cause = null) : Exception(message, cause);
