using InterGuest.Agent;

return await AgentCommand.RunAsync(args, AgentContext.OfProcess(), CancellationToken.None);
