using InterGuest.Switch;

return await SwitchCommand.Build().Parse(args).InvokeAsync();
