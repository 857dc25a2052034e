-- A role is there when the operator says so for this generation (api/v1/databaserole_types.go at v1.30).
if obj.status ~= nil and obj.status.observedGeneration == obj.metadata.generation then
  if obj.status.applied == true then
    return { status = "Healthy" }
  end
  if obj.status.applied == false then
    return { status = "Degraded", message = obj.status.message }
  end
end
return { status = "Progressing", message = "the operator has not made it yet" }
