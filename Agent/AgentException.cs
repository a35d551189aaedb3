namespace InterGuest.Agent;

/// <summary>What was asked cannot be done. The message is for a person: it names the thing and the remedy.</summary>
internal sealed class AgentException(string message, Exception? cause = null) : Exception(message, cause);
